"""Write a trained model as one ONNX file: PCM in, posteriors out, state in and out.

Before the file gets its name it is compared with PyTorch on real speech: clips of the store that
the model was trained on, or the files of audio=. A model that cannot be streamed is refused.

Examples:
  langid export checkpoint=runs/gru/best.ckpt output=model.onnx
  langid export checkpoint=runs/gru/best.ckpt output=model.onnx 'audio=[clip.wav]'
"""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig, ListConfig
from rich.console import Console

from langid.errors import LangidError
from langid.signal.audio import AudioError, read_audio

CLIPS = 4


def run(config: DictConfig) -> int:
    """Export, and print how far the graph is from PyTorch."""
    from langid.streaming.export import TOLERANCE, export_onnx
    from langid.streaming.streaming_module import StreamingModule
    from langid.training.checkpoint import load_identifier

    output = Path(str(config.output)).expanduser()
    _check_place(output)
    identifier = load_identifier(Path(str(config.checkpoint)))
    StreamingModule(identifier)  # refuses what cannot be streamed before any work is done
    clips = _clips(config.audio, identifier.description, identifier.front_end.sample_rate)
    differences = export_onnx(identifier, output, clips)
    console = Console()
    console.print(f"largest difference from offline PyTorch on {len(clips)} clips:")
    for name, difference in differences.items():
        console.print(f"  {name:22} {difference:.1e}  (accepted {TOLERANCE:.0e})", highlight=False)
    size = output.stat().st_size / 1e6
    console.print(f"model     {output}  ({size:.1f} MB)", soft_wrap=True, highlight=False)
    console.print(
        f"next      langid stream model={output} audio=FILE", soft_wrap=True, highlight=False
    )
    return 0


def _check_place(output: Path) -> None:
    """Make the folder of the file, before any work; raise LangidError where that cannot be."""
    if output.is_dir():
        raise LangidError(
            f"output={output}: is a folder; expected a file, output={output}/NAME.onnx"
        )
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=output.parent):
            pass
    except OSError as error:
        raise LangidError(
            f"output={output}: cannot be written ({error.strerror}); choose another output=PATH"
        ) from error


def _clips(audio: Any, description: dict[str, Any], sample_rate: int) -> list[np.ndarray]:
    """Return the speech to compare on."""
    if audio is not None:
        paths = list(audio) if isinstance(audio, ListConfig) else [audio]
        return [read_audio(path, sample_rate) for path in paths]
    from langid.data.store import FeatureStore

    try:
        rows = FeatureStore(description["store"]).utterances
        chosen = rows.iloc[np.linspace(0, len(rows) - 1, CLIPS).astype(int)]
        return [read_audio(path, sample_rate) for path in chosen["path"]]
    except (AudioError, LangidError) as error:
        raise LangidError(
            f"export compares the file with PyTorch on real speech, and the training clips are not"
            f" where they were ({error}); give a recording: audio=FILE"
        ) from error
