"""Tests of langid/utterance.py."""

import numpy as np
import torch

from langid.utterance import counted_frames, scored_frames, utterance_posterior

POSTERIORS = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.0, 1.0]])


def test_the_mean_over_speech_frames() -> None:
    speech = np.array([True, False, True, False])
    np.testing.assert_allclose(utterance_posterior(POSTERIORS, speech), [0.65, 0.35])


def test_without_speech_all_frames_count_that_are_no_padding() -> None:
    silent, there = np.zeros(4, bool), np.array([True, True, True, False])
    np.testing.assert_allclose(utterance_posterior(POSTERIORS, silent), [0.375, 0.625])
    np.testing.assert_allclose(utterance_posterior(POSTERIORS, silent, there), [0.5, 0.5])
    assert counted_frames(silent, there).tolist() == there.tolist()


def test_tensors_and_arrays_come_to_the_same() -> None:
    generator = np.random.default_rng(0)
    posteriors = generator.dirichlet(np.ones(3), (4, 20))
    speech = generator.random((4, 20)) < np.array([0.5, 0.9, 0.0, 1.0])[:, None]
    of_tensors = utterance_posterior(torch.from_numpy(posteriors), torch.from_numpy(speech))
    np.testing.assert_allclose(of_tensors.numpy(), utterance_posterior(posteriors, speech))


def test_of_cumulative_answers_the_last_frame_that_counts_is_scored() -> None:
    speech = np.array([[True, False, True, False], [False] * 4])
    there = np.array([[True] * 4, [True, True, False, False]])
    rows = np.stack([POSTERIORS, POSTERIORS])
    expected = POSTERIORS[[2, 1]]
    np.testing.assert_allclose(utterance_posterior(rows, speech, there, True), expected)
    given = (torch.from_numpy(of) for of in (rows, speech, there))
    np.testing.assert_allclose(utterance_posterior(*given, True).numpy(), expected)
    assert scored_frames(speech, there).tolist() == counted_frames(speech, there).tolist()
