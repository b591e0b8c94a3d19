"""The references of pretrained.py: transformers alone, by Whisper's own extractor and encoder.

As a script it is the plain loop over clips that pretrained.py starts: hidden states of clips, each
in its own length, as float16 to HDF5.
"""

import argparse
import functools
import sys
from pathlib import Path
from typing import Any

SAMPLE_RATE = 16000


@functools.cache
def whisper(folder: Path) -> tuple[Any, Any]:
    """Return extractor and encoder, once per process, on one thread."""
    import torch

    # As langid does: torchaudio, which transformers imports, may not fit torch's build.
    from langid.signal.torchaudio_loader import load_torchaudio

    load_torchaudio()
    from transformers import WhisperFeatureExtractor
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    torch.set_num_threads(1)
    encoder = WhisperEncoder.from_pretrained(
        folder, key_mapping={r"^(model\.)?encoder\.": ""}, dtype=torch.float32
    )
    return WhisperFeatureExtractor.from_pretrained(folder), encoder.eval()


def states(folder: Path, samples: Any, padded: bool) -> Any:
    """Return the last hidden states of a clip, filled up to 30 s or in its own length."""
    import torch

    extractor, encoder = whisper(folder)
    inputs = extractor(
        samples,
        sampling_rate=SAMPLE_RATE,
        return_tensors="pt",
        padding="max_length" if padded else "longest",
        pad_to_multiple_of=None if padded else 320,
    )["input_features"]
    positions = inputs.shape[2] // 2
    encoder.config.max_source_positions = encoder.embed_positions.num_embeddings = positions
    with torch.inference_mode():
        return encoder(inputs).last_hidden_state[0]


def plain(folder: Path, path: Path) -> Any:
    """Return the states of a file, float16 ``(time, width)``: soundfile, soxr, transformers."""
    import soundfile
    import soxr

    samples, rate = soundfile.read(path, dtype="float32")
    return states(folder, soxr.resample(samples, rate, SAMPLE_RATE), padded=False).half().numpy()


def main() -> int:
    """Run the loop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("encoder", type=Path, help="folder of a Whisper encoder")
    parser.add_argument("clips", type=Path, help="a file with a path in each line")
    parser.add_argument("output", type=Path, help="HDF5 file to write")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    import h5py
    from joblib import Parallel, delayed
    from plain_pretrained import plain as by_name  # so that workers import it: __main__ is pickled

    paths = options.clips.read_text(encoding="utf-8").splitlines()
    jobs = Parallel(options.processes, return_as="generator")(
        delayed(by_name)(options.encoder, path) for path in paths
    )
    with h5py.File(options.output, "w") as file:
        for number, made in enumerate(jobs):
            file[f"{number}"] = made
    return 0


if __name__ == "__main__":
    sys.exit(main())
