"""Samples as they are, and frames of several marks of the detector, in any chunks."""

import torch

from langid.signal.front_end import FrontEnd
from langid.signal.sample_hops import SampleHops
from langid.signal.speech_detector import EnergyDetector


def test_hops_and_their_speech_are_the_same_in_chunks() -> None:
    tone = torch.sin(torch.arange(8000) * 0.08)[None] / 2
    samples = torch.cat([torch.zeros(1, 8000), tone, torch.zeros(1, 8000)], dim=1)
    front_end = FrontEnd(SampleHops(16000, 320, 160), EnergyDetector(160))
    assert front_end.obstacles == []
    hops, speech = front_end(samples)
    assert torch.equal(hops, samples.reshape(1, -1, 320))
    marks = EnergyDetector(160)(samples)
    assert torch.equal(speech, marks.reshape(1, -1, 2).any(2)) and speech.any()
    state, parts = front_end.initial_state(1), []
    for chunk in samples.split(3200, dim=1):
        *part, state = front_end.step(chunk, state)
        parts.append(part)
    for whole, chunks in zip((hops, speech), zip(*parts, strict=True), strict=True):
        assert torch.equal(whole, torch.cat(chunks, dim=1))
