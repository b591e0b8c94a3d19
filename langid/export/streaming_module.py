"""The identifier as one stateful function of PCM: what is exported, and its PyTorch twin."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from langid import __version__
from langid.errors import LangidError, named
from langid.networks.network import State, StreamingNetwork
from langid.streaming.decision import LAST, MEAN, DecisionSettings, columns_of
from langid.streaming.onnx_model import AT_ONCE, SCHEMA
from langid.streaming.samples import as_floats
from langid.streaming.speed import real_time_factors
from langid.streaming.streamer import StreamingIdentifier
from langid.training.checkpoint import load_identifier
from langid.training.identifier import LanguageIdentifier
from langid.training.inference import Inference
from langid.training.weights_digest import calibration_of, frozen_encoder, weights_sha256

LICENCE = (
    "langid, which wrote this file, is Apache-2.0; what was learnt is under the terms of the speech"
    " that it was learnt from (Common Voice: CC0, and no attempt to find out who a speaker is)"
)


class IdentifierModule(Inference, nn.Module):
    """The parts of an identifier; LangidError, of ``refusal``, where there are ``reasons``."""

    def __init__(self, identifier: LanguageIdentifier, refusal: str, reasons: Sequence[str]):
        super().__init__()
        if reasons:
            raise LangidError(f"{refusal}: {'; '.join(reasons)}")
        self.identifier = identifier.eval()
        self.front_end, self.normaliser = identifier.front_end, identifier.normaliser
        self.network, self.silence = identifier.network, identifier.silence
        self.classes, self.calibration = identifier.classes, identifier.calibration


class StreamingModule(IdentifierModule):
    """``samples (streams, frames * hop), state -> posteriors, speech, state``.

    Posteriors are ``(streams, frames, classes)``, speech is ``(streams, frames) bool``. Raises
    LangidError for an identifier that cannot be streamed, with the reasons.
    """

    def __init__(self, identifier: LanguageIdentifier):
        reasons = identifier.front_end.obstacles
        if not isinstance(identifier.network, StreamingNetwork):
            name = type(identifier.network).__name__
            needs = f"the network {name} needs the whole utterance: train model=gru, or take an"
            reasons.append(f"{needs} overlapping window by langid export mode=offline")
        super().__init__(identifier, "this model cannot be streamed", reasons)
        self.front_end_states = len(self.front_end.initial_state(1))

    def initial_state(self, batch_size: int) -> State:
        """Return the state before the first sample, streams on the first axis of each tensor."""
        parts = (self.front_end, self.network)
        return tuple(tensor for part in parts for tensor in part.initial_state(batch_size))

    def forward(self, samples: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        count = self.front_end_states
        posteriors, speech, *states = self.stream_posteriors(samples, state[:count], state[count:])
        return (posteriors, speech, *states[0], *states[1])

    def metadata(self, decision: DecisionSettings = MEAN) -> dict[str, Any]:
        """Return what a runtime must know, as plain data, ``decision`` among it."""
        state = self.initial_state(1)
        return streaming_metadata(self.identifier, decision) | {
            "schema": SCHEMA,
            "hop_samples": self.front_end.hop_samples,
            "frames_at_once": self.network.frames_at_once or None,
            "state": [[*tensor.shape[1:]] for tensor in state],
            "initial_state": [
                float(tensor.flatten()[0]) if tensor.numel() else 0.0 for tensor in state
            ],
        }


def streaming_metadata(
    identifier: LanguageIdentifier, decision: DecisionSettings
) -> dict[str, Any]:
    """Return what ``common_metadata`` does, and whether frames tell of all before them.

    Then the last of them decides, unless ``decision`` has a half-life.
    """
    cumulative = identifier.network.cumulative
    if cumulative and math.isinf(decision.half_life_s):
        decision = replace(decision, half_life_s=LAST.half_life_s)
    return common_metadata(identifier, decision) | {"cumulative": cumulative}


def common_metadata(identifier: LanguageIdentifier, decision: DecisionSettings) -> dict[str, Any]:
    """Return what is to be known of all files that are exported of an identifier.

    Raises LangidError where the decision is restricted to names that are no classes.
    """
    columns_of(identifier.classes, decision.languages)
    scaling = identifier.calibration
    return {
        "version": __version__,
        "classes": identifier.classes,
        "sample_rate": identifier.front_end.sample_rate,
        "precision": "float32",
        "temperature": scaling.temperature if scaling else 1.0,  # of the graph's own softmax
        "decision": decision.plain(),
        "licence": LICENCE,
        "weights_sha256": weights_sha256(identifier),
        **frozen_encoder(identifier),
        **calibration_of(identifier),
    }


class TorchModel:
    """A StreamingModule behind the interface of OnnxModel, for ``StreamingIdentifier``."""

    module: nn.Module

    def __init__(self, module: StreamingModule):
        self.module, self.metadata = module, module.metadata()

    def stepper(self, streams: int = 1) -> "TorchStepper":
        """Return streams that step together, before their first sample."""
        return TorchStepper(self, streams)


class TorchStepper:
    """Some streams of a TorchModel, and their state between calls."""

    def __init__(self, model: TorchModel, streams: int):
        self._module = model.module
        self._hop = model.metadata["hop_samples"]
        self._at_once = model.metadata.get("frames_at_once") or AT_ONCE
        pairs = zip(model.metadata["state"], model.metadata["initial_state"], strict=True)
        self._state = tuple(torch.full((streams, *shape), value) for shape, value in pairs)

    @property
    def state(self) -> list[np.ndarray]:
        """A copy of everything remembered, streams on the first axis of each array."""
        return [tensor.numpy().copy() for tensor in self._state]

    @state.setter
    def state(self, state: list[np.ndarray]) -> None:
        self._state = tuple(torch.from_numpy(array.copy()) for array in state)

    @torch.inference_mode()
    def step(self, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """``samples (streams, frames * hop) -> posteriors, speech``: see Stepper."""
        fed = torch.from_numpy(np.ascontiguousarray(as_floats(samples)))
        found = []
        for part in torch.split(fed, self._at_once * self._hop, dim=1):
            *answers, self._state = self._step(part)
            found.append(answers)
        posteriors, speech = (torch.cat(parts, dim=1) for parts in zip(*found, strict=True))
        return posteriors.numpy(), speech.numpy()

    def _step(self, samples: Tensor) -> tuple[Tensor, Tensor, State]:
        posteriors, speech, *after = self._module(samples, *self._state)
        return posteriors, speech, tuple(after)


def stream_over(checkpoint: Path, exported: str | None) -> StreamingIdentifier:
    """Return the stream over a checkpoint in PyTorch, or over the file that was exported of it.

    Raises LangidError for what cannot be streamed, and a file that is not the checkpoint's.
    """
    model = TorchModel(StreamingModule(load_identifier(checkpoint)))
    if exported is None:
        return StreamingIdentifier(model)
    with named("exported", "model"):
        stream = StreamingIdentifier.load(exported)
    found, expected = (held.metadata["weights_sha256"] for held in (stream.model, model))
    if found != expected:
        raise LangidError(
            f"exported={exported}: its weights (SHA-256 {found[:16]}…) are not those of"
            f" {checkpoint} ({expected[:16]}…); export that checkpoint"
        )
    return stream


def torch_real_time_factor(checkpoint: Path) -> float | None:
    """Return the time that PyTorch needs for a second of sound, or None for what cannot stream.

    One thread, steps of 100 ms; the exported file is faster.
    """
    try:
        model = TorchModel(StreamingModule(load_identifier(checkpoint)))
    except LangidError:
        return None
    rate, hop = (int(model.metadata[name]) for name in ("sample_rate", "hop_samples"))
    hops = max(1, round(0.1 * rate / hop))
    samples = np.random.default_rng(0).normal(0, 0.1, rate).astype(np.float32)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        ((factor,),) = real_time_factors([model], samples, [hops]).values()
        return factor
    finally:
        torch.set_num_threads(threads)
