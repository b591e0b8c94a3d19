"""A trained identifier as a teacher: what it says of a clip at each frame."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from langid.build import class_of
from langid.data.datamodule import LanguageDataModule
from langid.data.pieces import HELD_OUT_S
from langid.errors import LangidError
from langid.networks.network import SampleNetwork, StreamingNetwork, UtteranceNetwork
from langid.signal.pretrained import Pretrained
from langid.training.checkpoint import load_identifier, read_checkpoint
from langid.training.distillation import Distillation
from langid.training.encoder_teacher import EncoderTeacher, encoder_of
from langid.training.init import digest_of, output_layer
from langid.training.run_description import RunDescription
from langid.utterance import utterance_posterior

STEP_S = 0.5  # from each window to the next
AT_ONCE = 8  # windows
UNITS = ("frame", "utterance")


@dataclass(frozen=True)
class TeacherFile:
    """A checkpoint to learn from, or an encoder, and the settings of the group ``teacher``.

    The ``sha256`` is added to them, and what it has ``heard``. The ``description`` is that of the
    checkpoint, the ``encoder`` its name, revision and hash.
    """

    settings: dict[str, Any]
    description: RunDescription | None = None
    encoder: dict[str, Any] | None = None

    @property
    def path(self) -> Path:
        return Path(self.settings["checkpoint"])

    @property
    def classes(self) -> list[str]:
        """Return what it knows by name; an encoder nothing."""
        return self.description.classes if self.description else []

    def load(self, states: bool, device: torch.device) -> "Teacher | EncoderTeacher":
        """Return what can be asked."""
        if self.encoder:
            return EncoderTeacher(self.encoder, device)
        return Teacher(self, states, device)


def learns_from_teacher(loss: Any) -> bool:
    """Return whether the settings of a loss are of one that has a teacher."""
    target = loss.get("_target_") if isinstance(loss, dict) else None  # build says what is wrong
    return target is not None and issubclass(class_of(target, "loss"), Distillation)


def read_teacher(
    teacher: dict[str, Any], loss: dict[str, Any], data: LanguageDataModule
) -> TeacherFile | None:
    """Return what ``teacher`` names, for a run on some data; None where it names no checkpoint.

    Nothing in the file is built. Where it names no file but an encoder, that is the teacher. Raises
    LangidError for a file that is no checkpoint, a teacher of other classes, and for settings, a
    loss or unlabelled speech that do not go with it.
    """
    _check(teacher, data)
    learns = learns_from_teacher(loss)
    if teacher["checkpoint"] is None:
        if learns:
            raise LangidError("loss=distillation learns from a teacher: add teacher=CHECKPOINT")
        if data.split.unlabelled:
            raise LangidError(
                f"split.unlabelled={data.split.unlabelled}: only a teacher speaks of them; add"
                " loss=distillation teacher=CHECKPOINT"
            )
        return None
    path = Path(str(teacher["checkpoint"])).expanduser().absolute()
    if not learns:
        raise LangidError(
            f"teacher={path}: loss._target_={loss.get('_target_')} does not learn from it; take"
            " loss=distillation"
        )
    if encoder := encoder_of(teacher):
        if not loss.get("cluster_weight"):
            raise LangidError(
                f"teacher={teacher['checkpoint']}: an encoder knows no classes, only sounds; take"
                " loss.cluster_weight=1, or a probe on it as the teacher"
            )
        if teacher["unit"] != UNITS[0]:
            raise LangidError(
                f"teacher.unit={teacher['unit']}: an encoder tells sounds frame by frame; take"
                f" teacher.unit={UNITS[0]}"
            )
        named = {"checkpoint": encoder["encoder"], "sha256": encoder["sha256"]}
        of_encoder = named | {"revision": encoder["revision"], "heard": [""]}
        return TeacherFile(teacher | of_encoder, encoder=encoder)
    description: RunDescription = read_checkpoint(path, "teacher")["langid"]
    held, own = description.task.get("column"), data.task.column
    if set(description.classes) != set(data.classes) or held != own:
        raise LangidError(
            f"teacher={path}: knows the {held} {', '.join(description.classes)}; this run learns"
            f" the {own} {', '.join(data.classes)}; take a teacher of the same classes, in any"
            " order, or name its classes (task.classes)"
        )
    of_file = {"sha256": digest_of("teacher", teacher), "heard": description.heard}
    return TeacherFile(teacher | {"checkpoint": str(path)} | of_file, description)


def _check(teacher: dict[str, Any], data: LanguageDataModule) -> None:
    if not isinstance(teacher["live"], bool):
        raise LangidError(f"teacher.live={teacher['live']}: accepted are true and false")
    if teacher["live"] and data.store.content.name != "samples":
        raise LangidError(
            f"teacher.live=true: the teacher hears samples, and store={data.store.path} holds"
            " features; prepare one with content=samples, or take teacher.live=false"
        )
    if teacher["unit"] not in UNITS:
        raise LangidError(f"teacher.unit={teacher['unit']}: accepted are {', '.join(UNITS)}")
    window_s = teacher["window_s"]
    if type(window_s) not in (int, float) or not 0 < window_s <= HELD_OUT_S:
        raise LangidError(
            f"teacher.window_s={window_s}: accepted are seconds, more than 0, up to {HELD_OUT_S:g}"
        )


class Teacher:
    """What an identifier says of clips at each of its frames, of which it has so many a second.

    A frame network speaks per frame anyway. Of a network that gives one answer for what it is given
    the frames' posteriors are of windows of ``window_s``: at each frame of the last that it has
    then heard, and in a clip's first seconds of these. So the teacher has heard what a streaming
    student has heard, and does not ask it to know the future, as centred windows would; it always
    hears as much as it needs to be right, unlike at the beginning of ever longer windows, whose
    cost would grow with the clip, too. There is a window every STEP_S. With ``unit`` utterance what
    it says of the whole clip stands at every frame.

    Columns behind the posteriors are hidden ``states`` of each frame: what the output layer of a
    frame network gets, or a pretrained encoder's states, normalised. Raises LangidError where there
    are none.
    """

    def __init__(self, file: TeacherFile, states: bool, device: torch.device):
        self.path, self.unit = file.path, file.settings["unit"]
        self.identifier = load_identifier(self.path, "teacher").requires_grad_(False)
        front_end = self.identifier.front_end
        self.sample_rate, self.hop_samples = front_end.sample_rate, front_end.hop_samples
        whole = self.unit == "utterance"
        seconds = (HELD_OUT_S, HELD_OUT_S) if whole else (file.settings["window_s"], STEP_S)
        self.window, self.step = (max(1, round(of * self.frames_per_second)) for of in seconds)
        self.inputs: list[Tensor] = []  # of the layer that hidden states go into
        self.states = states
        if states:
            self._keep_states()
        self.move(device)

    @property
    def frames_per_second(self) -> float:
        """Return the rate of its frames, in hertz."""
        return self.sample_rate / self.hop_samples

    def move(self, device: torch.device) -> None:
        """Work on a device; features that need numpy stay on the CPU."""
        self.device, features = device, self.identifier.front_end.features
        self.place = device if features.together or features.causal else torch.device("cpu")
        self.identifier.to(device).front_end.to(self.place)

    def _keep_states(self) -> None:
        network, layer = self.identifier.network, None
        if isinstance(network, SampleNetwork):
            name = network.of_features["network."].removesuffix(".")
            layer = self.identifier.get_submodule(name)
        elif not isinstance(network, UtteranceNetwork):
            layer = output_layer(self.identifier)
        elif isinstance(self.identifier.front_end.features, Pretrained):
            return
        if layer is None:
            raise LangidError(
                f"teacher={self.path}: its network {type(network).__name__} has no hidden states"
                " per frame; take loss.state_weight=0"
            )
        layer.register_forward_pre_hook(lambda _, inputs: self.inputs.append(inputs[0]))

    @torch.no_grad()
    def outputs(self, samples: Tensor) -> Tensor:
        """``samples (samples,)`` at its sample rate -> ``(frames, classes + width)``.

        Log-posteriors of its classes, then states. There are as many frames as hops begin.
        """
        samples, silence = samples[None].to(self.place), self.identifier.silence
        features, speech = (of.to(self.device) for of in self.identifier.front_end(samples))
        time, frames = features.shape[1], math.ceil(samples.shape[1] / self.hop_samples)
        if self.unit == "frame" and abs(time - frames) > 1:
            raise LangidError(
                f"teacher={self.path}: its features cut clips ({frames} frames to {time}), so that"
                " it cannot speak per frame; take teacher.unit=utterance"
            )
        heard, place = features[0], torch.arange(time, device=self.device)
        if silence.removes:
            kept = silence.kept(speech)[0]
            heard, place = heard[kept], (kept.cumsum(0) - 1).clamp(min=0)
        said = self._said(heard)[place]
        if self.unit == "utterance":
            cumulative = self.identifier.network.cumulative
            mean = utterance_posterior(said.exp(), speech[0], cumulative=cumulative)
            said = mean.clamp(min=1e-30).log().expand(time, -1)
        both = torch.cat([said, self._states(heard)[place]], dim=1) if self.states else said
        return both[torch.arange(frames).clamp(max=time - 1)]

    def _said(self, features: Tensor) -> Tensor:
        """``features (time, bins)`` -> log-posteriors ``(time, classes)``."""
        self.inputs.clear()
        by_windows = isinstance(self.identifier.network, UtteranceNetwork)
        logits = self._of_windows(features) if by_windows else self._of_pieces(features)
        logits, calibration = logits[:, : len(self.identifier.classes)], self.identifier.calibration
        return (calibration(logits) if calibration else logits).log_softmax(-1)

    def _of_pieces(self, features: Tensor) -> Tensor:
        """Return the logits of a frame network, which gets long clips in pieces, as evaluation."""
        network, logits = self.identifier.network, []
        state = network.initial_state(1) if isinstance(network, StreamingNetwork) else None
        for piece in torch.split(features, round(HELD_OUT_S * self.frames_per_second)):
            lengths = torch.tensor([len(piece)], device=self.device)
            if state is None:
                logits.append(self.identifier(piece[None], lengths)[0])
            else:
                prepared = self.identifier.prepared(piece[None], lengths)
                of_piece, state = network.step(prepared, state)
                logits.append(of_piece[0])
        return torch.cat(logits)

    def _of_windows(self, features: Tensor) -> Tensor:
        """Return at each frame the logits of the last window that has ended with it."""
        time = len(features)
        size = min(self.window, time)
        ends, logits = [*range(size, time, self.step), time], []
        for first in range(0, len(ends), AT_ONCE):
            windows = [features[end - size : end] for end in ends[first : first + AT_ONCE]]
            lengths = torch.full((len(windows),), size, device=self.device)
            logits.append(self.identifier(torch.stack(windows), lengths)[:, 0])
        frames = torch.arange(time, device=self.device)
        ended = torch.searchsorted(torch.tensor(ends, device=self.device), frames + 1, right=True)
        return torch.cat(logits)[(ended - 1).clamp(min=0)]

    def _states(self, features: Tensor) -> Tensor:
        """``features (time, bins)`` that were just heard -> hidden states ``(time, width)``."""
        if isinstance(self.identifier.network, SampleNetwork):  # windows of it went there as well
            self.inputs.clear()
            self.identifier(features[None], torch.tensor([len(features)], device=self.device))
        elif isinstance(self.identifier.network, UtteranceNetwork):
            normalised: Tensor = self.identifier.normaliser(features)
            return normalised
        states = torch.cat([of[0] for of in self.inputs])
        return states[torch.arange(len(features)).clamp(max=len(states) - 1)]
