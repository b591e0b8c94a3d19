"""Write a trained model as one file: PCM in, posteriors out, state in and out.

Before the file gets its name it is compared with PyTorch on real speech: clips of the store that
the model was trained on, or the files of audio=. A model that cannot be streamed is refused; with
mode=offline it hears an overlapping window. Other precisions than float32 are compared with it, in
size, speed and accuracy, on clips of the validation part. decide_at= and its like are written into
the file, for its streams to go by.

Examples:
  langid export checkpoint=runs/gru/best.ckpt output=model.onnx
  langid export checkpoint=runs/ecapa/best.ckpt output=model.onnx mode=offline precision=float16
"""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from omegaconf import DictConfig, ListConfig, OmegaConf

from langid.audio.decode import AudioError, read_audio
from langid.commands.destination import destination
from langid.errors import LangidError
from langid.streaming.decision import SETTINGS, DecisionSettings
from langid.terminal import console
from langid.typed import override

if TYPE_CHECKING:
    from langid.export.precision import Comparison
    from langid.training.identifier import LanguageIdentifier

CLIPS = 4
LABELLED_CLIPS = 200
CHOICES = {
    "format": ("onnx", "pt2", "module"),
    "mode": ("streaming", "offline"),
    "precision": ("float32", "float16", "int8"),
}
WINDOW = {"window_s": 5.0, "hop_s": 0.5}
SUFFIXES = {"onnx": ".onnx", "pt2": ".pt2", "module": ".pt"}


def run(config: DictConfig) -> int:
    """Export, and print how far the file is from PyTorch, and from float32."""
    from langid.training.checkpoint import load_identifier

    _check_choices(config)
    read = {"checkpoint": config.checkpoint, "audio": config.audio}
    output = destination("output", config.output, SUFFIXES[config.format], **read)
    decision = _decision(config)
    identifier = load_identifier(Path(str(config.checkpoint)))
    _check_exportable(config, identifier, decision)  # before any work is done
    clips = _clips(config.audio, identifier)
    if config.precision == "float32":
        _print_differences(_write(config, identifier, output, clips, decision), clips)
    else:
        _reduce(config, identifier, output, clips, decision)
    _print_file(config, output, clips)
    return 0


def _check_choices(config: DictConfig) -> None:
    for key, accepted in CHOICES.items():
        if config[key] not in accepted:
            raise LangidError(f"{key}={config[key]}: accepted are {', '.join(accepted)}")
    for key in ("mode", "precision"):
        usual = CHOICES[key][0]
        if config.format != "onnx" and config[key] != usual:
            raise LangidError(
                f"{key}={config[key]}: is for format=onnx; format={config.format} takes"
                f" {key}={usual}"
            )
    for key in WINDOW:
        if config[key] is not None and config.mode != "offline":
            raise LangidError(f"{key}={config[key]}: is for mode=offline; leave it out")


def _decision(config: DictConfig) -> DecisionSettings:
    """Return how the file's streams decide where nothing else is asked for."""
    plain: Any = OmegaConf.to_container(config, resolve=True)
    settings = {name: plain[name] for name in SETTINGS if plain[name] is not None}
    return DecisionSettings(**settings)


def _window(config: DictConfig) -> tuple[float, float]:
    """Return how long a window is, and the time between two answers."""
    window_s, hop_s = (
        usual if config[key] is None else config[key] for key, usual in WINDOW.items()
    )
    return window_s, hop_s


def _check_exportable(
    config: DictConfig, identifier: "LanguageIdentifier", decision: DecisionSettings
) -> None:
    from langid.export.streaming_module import StreamingModule
    from langid.export.windowed import OfflineModule

    if config.mode == "offline":
        OfflineModule(identifier, *_window(config)).metadata(decision)
    else:
        StreamingModule(identifier).metadata(decision)


def _write(
    config: DictConfig,
    identifier: "LanguageIdentifier",
    output: Path,
    clips: list[np.ndarray],
    decision: DecisionSettings,
) -> dict[str, float]:
    """Write the file in float32; return the largest differences from offline PyTorch."""
    from langid.export.onnx import export_onnx
    from langid.export.torch_export import export_module, export_pt2
    from langid.export.windowed import export_offline

    if config.mode == "offline":
        window_s, hop_s = _window(config)
        return export_offline(identifier, output, clips, window_s, hop_s, decision)
    write = {"onnx": export_onnx, "pt2": export_pt2, "module": export_module}[config.format]
    return write(identifier, output, clips, decision)


def _reduce(
    config: DictConfig,
    identifier: "LanguageIdentifier",
    output: Path,
    clips: list[np.ndarray],
    decision: DecisionSettings,
) -> None:
    """Write the file in another precision than float32, and print what that changes."""
    from langid.export.precision import reduce_precision
    from langid.export.validation_clips import validation_pieces

    try:
        pieces = validation_pieces(identifier, LABELLED_CLIPS)
    except LangidError as error:
        raise LangidError(
            f"precision={config.precision}: what it changes is measured on clips of the training's"
            f" validation part, and they are not to be had ({error}); take precision=float32"
        ) from error
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "float32.onnx"
        _print_differences(_write(config, identifier, whole, clips, decision), clips)
        _print_comparison(reduce_precision(whole, output, config.precision, pieces))


def _clips(audio: Any, identifier: "LanguageIdentifier") -> list[np.ndarray]:
    """Return the speech to compare on."""
    sample_rate = identifier.front_end.sample_rate
    if audio is not None:
        paths = list(audio) if isinstance(audio, ListConfig) else [audio]
        return [read_audio(path, sample_rate) for path in paths]
    from langid.data.store import Store

    try:
        rows = Store(identifier.described.store).utterances
        chosen = rows.iloc[np.linspace(0, len(rows) - 1, CLIPS).astype(int)]
        return [read_audio(path, sample_rate) for path in chosen["path"]]
    except (AudioError, LangidError) as error:
        raise LangidError(
            f"export compares the file with PyTorch on real speech, and the training clips are not"
            f" where they were ({error}); give a recording: audio=FILE"
        ) from error


def _print_differences(differences: dict[str, float], clips: list[np.ndarray]) -> None:
    from langid.export.parity import TOLERANCE

    _print(f"largest difference from offline PyTorch on {len(clips)} clips, in float32:")
    for name, difference in differences.items():
        _print(f"  {name:26} {difference:.1e}  (accepted {TOLERANCE:.0e})")


def _print_comparison(comparison: "Comparison") -> None:
    from langid.export.precision import figures

    _print(f"{comparison.precision} on {comparison.pieces} clips of the validation part:")
    for line in figures(comparison):
        _print(f"  {line}")


def _print_file(config: DictConfig, output: Path, clips: list[np.ndarray]) -> None:
    _print(f"model     {output}  ({output.stat().st_size / 1e6:.2f} MB)")
    if config.format == "pt2":
        _print(
            f"load      torch.export.load({str(output)!r}), which runs what a file holds: your own"
        )
    elif config.format == "module":
        _print(
            f"load      langid.export.torch_module.StreamingRecurrentModule.load({str(output)!r})"
        )
    else:
        _print_stream(output, clips)


def _print_stream(output: Path, clips: list[np.ndarray]) -> None:
    from langid.export.precision import real_time_factors
    from langid.streaming.windowed_model import load_model, window_line

    model = load_model(output)
    for name, (factor,) in real_time_factors([model], np.concatenate(clips)).items():
        _print(f"speed     real-time factor {factor:.5f} on one thread, {name}")
    if line := window_line(model.metadata):
        _print(f"window    {line}")
    _print(f"next      langid stream {override('model', output)} audio=FILE")


def _print(line: str) -> None:
    console().print(line, soft_wrap=True)
