"""The identifier as one stateful function of PCM: what is exported, and its PyTorch twin."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from langid import __version__
from langid.errors import LangidError
from langid.export.torch_module import digest
from langid.networks.network import StreamingNetwork
from langid.streaming.decision import MEAN, DecisionSettings, columns_of
from langid.streaming.onnx_model import SCHEMA
from langid.streaming.samples import as_floats
from langid.streaming.speed import real_time_factors
from langid.training.checkpoint import load_identifier
from langid.training.identifier import LanguageIdentifier
from langid.training.inference import Inference

State = tuple[Tensor, ...]
LICENCE = (
    "langid, which wrote this file, is Apache-2.0; what was learnt is under the terms of the speech"
    " that it was learnt from (Common Voice: CC0, and no attempt to find out who a speaker is)"
)


class StreamingModule(Inference, nn.Module):
    """``samples (streams, frames * hop), state -> posteriors, speech, state``.

    Holds front end, detector, normaliser, silence policy and network of an identifier. Posteriors
    are ``(streams, frames, classes)``, speech is ``(streams, frames) bool``. Raises LangidError
    for an identifier that cannot be streamed, with the reasons.
    """

    def __init__(self, identifier: LanguageIdentifier):
        super().__init__()
        reasons = identifier.front_end.obstacles
        if not isinstance(identifier.network, StreamingNetwork):
            name = type(identifier.network).__name__
            needs = f"the network {name} needs the whole utterance: train model=gru, or take an"
            reasons = [*reasons, f"{needs} overlapping window by langid export mode=offline"]
        if reasons:
            raise LangidError(f"this model cannot be streamed: {'; '.join(reasons)}")
        self.identifier = identifier.eval()
        self.silence, self.classes = identifier.silence, identifier.classes
        self.front_end = identifier.front_end
        self.normaliser = identifier.normaliser
        self.network = identifier.network
        self.front_end_states = len(self.front_end.initial_state(1))

    def initial_state(self, batch_size: int) -> State:
        """Return the state before the first sample, streams on the first axis of each tensor."""
        network: StreamingNetwork = self.network  # type: ignore[assignment]
        return (*self.front_end.initial_state(batch_size), *network.initial_state(batch_size))

    def forward(self, samples: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        count = self.front_end_states
        posteriors, speech, *states = self.stream_posteriors(samples, state[:count], state[count:])
        return (posteriors, speech, *states[0], *states[1])

    def metadata(self, decision: DecisionSettings = MEAN) -> dict[str, Any]:
        """Return what a runtime must know, as plain data, ``decision`` among it."""
        state = self.initial_state(1)
        return common_metadata(self.identifier, decision) | {
            "schema": SCHEMA,
            "hop_samples": self.front_end.hop_samples,
            "state": [[*tensor.shape[1:]] for tensor in state],
            "initial_state": [
                float(tensor.flatten()[0]) if tensor.numel() else 0.0 for tensor in state
            ],
        }


def common_metadata(identifier: LanguageIdentifier, decision: DecisionSettings) -> dict[str, Any]:
    """Return what is to be known of all files that are exported of an identifier.

    Raises LangidError where the decision is restricted to names that are no classes.
    """
    columns_of(identifier.classes, decision.languages)
    return {
        "version": __version__,
        "classes": identifier.classes,
        "sample_rate": identifier.front_end.sample_rate,
        "precision": "float32",
        "temperature": 1.0,  # of the graph's own softmax: nobody has calibrated it yet
        "decision": decision.plain(),
        "licence": LICENCE,
        "weights_sha256": _weights_digest(identifier),
    }


def _weights_digest(identifier: LanguageIdentifier) -> str:
    """Return the SHA-256 of what an identifier has learnt, whatever it is exported as."""
    parts = ("front_end.", "normaliser.", "network.")
    weights = identifier.state_dict().items()
    return digest({}, {name: value for name, value in weights if name.startswith(parts)})


class TorchModel:
    """A StreamingModule behind the interface of OnnxModel, for ``StreamingIdentifier``."""

    def __init__(self, module: StreamingModule):
        self.module = module
        self.metadata = module.metadata()

    def stepper(self, streams: int = 1) -> "TorchStepper":
        """Return streams that step together, before their first sample."""
        return TorchStepper(self.module, streams)


class TorchStepper:
    """Some streams of a StreamingModule, and their state between calls."""

    def __init__(self, module: StreamingModule, streams: int):
        self._module = module
        self._state = module.initial_state(streams)

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
        fed = torch.from_numpy(as_floats(samples))
        posteriors, speech, *after = self._module(fed, *self._state)
        self._state = tuple(after)
        return posteriors.numpy(), speech.numpy()


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
