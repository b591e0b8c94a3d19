"""A streaming GRU in plain numpy, frame by frame: what one writes without any runtime."""

from typing import Any

import numpy as np
from torch import Tensor

from langid.signal.learned_detector import FLOOR, LearnedDetector
from langid.signal.speech_detector import EnergyDetector
from langid.training.identifier import LanguageIdentifier

NO_FLOOR = 1e10


class PlainGRU:
    """The identifier of ``experiment=gru`` with the silence policy ``mask``.

    The transform is numpy's FFT; then come products of a matrix and a vector, one after the other.
    """

    def __init__(self, identifier: LanguageIdentifier):
        parts: Any = identifier  # whose modules have the types of this experiment
        features, head = parts.front_end.features, parts.network.head
        self.hop, self.n_fft, self.floor = features.hop_samples, features.n_fft, features.floor
        self.window, self.weights = array(features.window), array(features.weights)
        self.filters, self.dct = array(features.filters.T), array(features.dct.T)
        self.scale, self.shift = array(parts.normaliser.scale), array(parts.normaliser.shift)
        (layer,) = parts.network.layers
        self.inputs, self.recurrent, self.bias, self.hidden_bias = map(array, layer.parameters())
        (dense,) = head.dense
        self.dense, self.dense_bias = map(array, dense.parameters())
        self.output, self.output_bias = map(array, head.output.parameters())
        detector = parts.front_end.detector
        learned = isinstance(detector, LearnedDetector)
        self.detector: Any = (PlainLearned if learned else PlainDetector)(detector)
        self.reset()

    def reset(self) -> None:
        """Forget everything heard."""
        self.samples: np.ndarray | None = None  # as many as the window's, once one is heard
        self.hidden = np.zeros(self.recurrent.shape[1], np.float32)
        self.detector.reset()

    def feed(self, samples: np.ndarray) -> np.ndarray:
        """``samples (frames * hop,) int16 -> posteriors (frames, classes)``."""
        samples = samples.astype(np.float32) / 32768
        hops = samples.reshape(-1, self.hop)
        self.speech = np.array([self.detector.process(hop) for hop in hops])
        return np.stack([self._posteriors(self._features(hop)) for hop in hops])

    def _features(self, hop: np.ndarray) -> np.ndarray:
        if self.samples is None:
            self.samples = np.full(len(self.window), hop[0])
        self.samples = np.concatenate([self.samples[self.hop :], hop])
        varying = self.samples - self.samples.dot(self.weights)
        spectrum = np.fft.rfft(varying * self.window, self.n_fft)[1:]
        power = spectrum.real**2 + spectrum.imag**2
        mel = self.filters @ power
        features: np.ndarray = self.dct @ np.log(np.maximum(mel, self.floor))
        return features * self.scale + self.shift

    def _posteriors(self, features: np.ndarray) -> np.ndarray:
        memory = self.recurrent @ self.hidden + self.hidden_bias
        self.hidden = remembered(self.inputs @ features + self.bias, memory, self.hidden)
        dense = np.maximum(self.dense @ self.hidden + self.dense_bias, 0)
        logits = self.output @ dense + self.output_bias
        shares = np.exp(logits - logits.max())
        posteriors: np.ndarray = shares / shares.sum()
        return posteriors


class PlainDetector:
    """An EnergyDetector, hop by hop, with memories that go round."""

    def __init__(self, detector: EnergyDetector):
        self.settings = detector
        decibels = (detector.threshold_db, detector.quiet_db, detector.loud_db, detector.signal_db)
        self.ratio, self.quiet, self.loud, self.signal = (10 ** (level / 10) for level in decibels)
        self.own_share = 1 - detector.loud_correlation

    def reset(self) -> None:
        """Forget everything heard."""
        self.power = np.zeros(self.settings.smooth_frames, np.float32)
        self.own = self.power.copy()  # what of it neighbouring samples do not share
        self.smooth = np.full(self.settings.floor_frames, NO_FLOOR, np.float32)
        self.frames, self.last_active = 0, -self.settings.hangover_frames

    def process(self, hop: np.ndarray) -> bool:
        """``hop (samples,)`` -> whether the frame is speech."""
        neighbours = hop[::2] - hop[1::2]
        self.power[self.frames % len(self.power)] = hop.var()
        self.own[self.frames % len(self.own)] = neighbours.dot(neighbours) / len(hop)
        now, own = self.power.mean(), self.own.mean()
        signal = self.power.min() >= self.signal
        self.smooth[self.frames % len(self.smooth)] = now if signal else NO_FLOOR
        loud = max(self.loud, own / self.own_share)
        if now >= max(min(self.smooth.min() * self.ratio, loud), self.quiet):
            self.last_active = self.frames
        speech = self.frames - self.last_active < self.settings.hangover_frames
        self.frames += 1
        return speech


class PlainLearned:
    """A LearnedDetector whose hop is one step, hop by hop."""

    def __init__(self, detector: LearnedDetector):
        self.logit, bands = detector.logit, detector.bands
        self.earlier, self.now = np.split(array(bands.tones.T), 2)
        self.constant, self.bands = array(bands.constant), array(bands.bands.T)
        self.inputs, self.bias = array(detector.input), array(detector.input_bias)
        self.recurrent, self.hidden_bias = array(detector.recurrent), array(detector.recurrent_bias)
        self.output, self.output_bias = array(detector.output), float(detector.output_bias)
        self.reset()

    def reset(self) -> None:
        """Forget everything heard."""
        self.before: np.ndarray | None = None
        self.hidden = np.zeros(self.recurrent.shape[1], np.float32)

    def process(self, hop: np.ndarray) -> bool:
        """``hop (samples,)`` -> whether the frame is speech."""
        before = hop[0] * self.constant if self.before is None else self.before
        parts = before + self.now @ hop
        self.before = self.earlier @ hop
        bands = np.log(np.maximum(self.bands @ (parts * parts), FLOOR))
        memory = self.recurrent @ self.hidden + self.hidden_bias
        self.hidden = remembered(self.inputs @ bands + self.bias, memory, self.hidden)
        return bool(self.output @ self.hidden + self.output_bias >= self.logit)


def remembered(heard: np.ndarray, memory: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """Return what gated recurrent units remember, of both products, ``(3 * units,)`` each."""
    units = len(hidden)
    reset, keep = np.split(sigmoid(heard[: 2 * units] + memory[: 2 * units]), 2)
    new = np.tanh(heard[2 * units :] + reset * memory[2 * units :])
    following: np.ndarray = new + keep * (hidden - new)
    return following


def sigmoid(values: np.ndarray) -> np.ndarray:
    result: np.ndarray = 1 / (1 + np.exp(-values))
    return result


def array(tensor: Tensor) -> np.ndarray:
    """Return the values row by row, as float32."""
    values: np.ndarray = tensor.detach().numpy().astype(np.float32, order="C")
    return values
