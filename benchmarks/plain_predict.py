"""The reference of predict.py: a plain joblib loop over clips, which predict.py starts.

It prints a line of JSON for each clip, its posteriors.
"""

import argparse
import functools
import json
import sys
from pathlib import Path
from typing import Any

SAMPLE_RATE = 16000


@functools.cache
def session(model: Path) -> Any:
    """Return a session over an exported file, once per process, on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"])


def plain(model: Path, path: Path) -> list[float]:
    """Return the posteriors of a clip: soundfile, soxr, 16 bits, and one call of the session."""
    import numpy as np
    import soundfile
    import soxr

    samples, rate = soundfile.read(path, dtype="float32")
    samples = soxr.resample(samples, rate, SAMPLE_RATE)
    samples = np.clip(np.rint(samples * 32768), -32768, 32767) / np.float32(32768)
    loaded = session(model)
    hop = json.loads(loaded.get_modelmeta().custom_metadata_map["langid"])["frame_samples"]
    samples = np.pad(samples, (0, -len(samples) % hop), "edge")
    posteriors: list[float] = loaded.run(["posteriors"], {"samples": samples[None]})[0][0]
    return [float(posterior) for posterior in posteriors]


def main() -> int:
    """Run the loop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="a file of langid export mode=offline")
    parser.add_argument("clips", type=Path, help="a file with a path in each line")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    from joblib import Parallel, delayed
    from plain_predict import plain as by_name  # so that workers import it: __main__ is pickled

    paths = [Path(line) for line in options.clips.read_text(encoding="utf-8").splitlines()]
    jobs = Parallel(options.processes)(delayed(by_name)(options.model, path) for path in paths)
    for posteriors in jobs:
        print(json.dumps(posteriors))
    return 0


if __name__ == "__main__":
    sys.exit(main())
