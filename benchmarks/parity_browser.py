"""Largest difference of posteriors between the page's runtime in Chromium and PyTorch.

The networks and clips of parity.py: each network is exported and hears the whole clips in headless
Chromium through the page's own identifier.js, cut into chunks of 1, 37, 160, 1600 and all samples.
Each frame is held against offline PyTorch. Needs chromium, and what make page installs.
"""

import base64
import logging
import os
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np
import torch
from command_line import CommandLine
from figures import Figure, machine, print_table, verdict
from parity import NETWORKS, RATE, fitted, real_clips
from prepare import RELEASE

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from langid.demo.server import PageServer  # noqa: E402
from langid.export.onnx import export_onnx  # noqa: E402
from langid.training.identifier import LanguageIdentifier  # noqa: E402
from tests.demo.page.chromium import Chromium, Page  # noqa: E402

CHUNKS = (1, 37, 160, 1600, 0)  # in samples; 0 is the whole clip
LIMIT = 1e-3
LOAD = """
(async () => {
  const { Identifier } = await import("/identifier.js");
  const metadata = await (await fetch("/model.json")).json();
  const model = new Uint8Array(await (await fetch("/model.onnx")).arrayBuffer());
  window.identifier = await Identifier.load(metadata, model);
})()
"""
HEAR = """
(async () => {
  const bytes = Uint8Array.from(atob("DATA"), (letter) => letter.charCodeAt(0));
  const samples = new Float32Array(bytes.buffer);
  const size = CHUNK || samples.length;
  const posteriors = [];
  identifier.reset();
  for (let i = 0; i < samples.length; i += size)
    posteriors.push(...(await identifier.feed(samples.subarray(i, i + size))).posteriors);
  posteriors.push(...(await identifier.flush()).posteriors);
  return posteriors;
})()
"""


def in_browser(page: Page, clip: np.ndarray, chunk: int) -> np.ndarray:
    """Return the posteriors ``(frames, classes)`` of a clip in chunks."""
    data = base64.b64encode(clip.tobytes()).decode()
    answer = page.run(HEAR.replace("DATA", data).replace("CHUNK", str(chunk)))
    return np.array(answer, np.float32).reshape(-1, 3)


def differences(
    browser: Chromium, identifier: LanguageIdentifier, clips: list[np.ndarray], folder: Path
) -> list[float]:
    """Return the largest difference over the clips, for each of CHUNKS."""
    path = folder / "model.onnx"
    logging.disable(logging.WARNING)
    export_onnx(identifier, path, [clips[0][:RATE]])
    largest = np.zeros(len(CHUNKS))
    with PageServer(path, 0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            page = browser.open(server.url)
            page.run(LOAD)
            for clip in clips:
                offline = identifier.posteriors(torch.from_numpy(clip)[None])[0][0].numpy()
                heard = [np.abs(in_browser(page, clip, c) - offline).max() for c in CHUNKS]
                largest = np.maximum(largest, heard)
        finally:
            server.shutdown()
            thread.join()
    return [float(value) for value in largest]


def figures(largest: dict[str, float]) -> list[Figure]:
    """Return each network's largest difference beside the limit."""
    return [Figure(name, value, LIMIT, of_result=True) for name, value in largest.items()]


def main() -> int:
    """Measure and return 0 where all figures hold, else 1."""
    data = os.environ.get("LANGID_DATA", ROOT.parent / "shared" / "data")
    parser = CommandLine(__doc__, clips=1, networks=["gru"])
    parser.add_argument("--data", type=Path, default=data, help=f"folder of {RELEASE}")
    parser.add_argument("--clips", type=int, default=50, help="how many (50)")
    parser.add_argument("--networks", nargs="+", default=NETWORKS, help="which (all)")
    options = parser.options()
    torch.set_num_threads(1)
    clips = real_clips(options.data / RELEASE, options.clips)
    rows = [["network", *(f"{chunk} samples" if chunk else "whole clip" for chunk in CHUNKS)]]
    largest: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        browser = Chromium(Path(name) / "profile")
        try:
            for network in options.networks:
                found = differences(
                    browser, fitted(network, "mfcc", "mask", clips[0]), clips, Path(name)
                )
                largest[network] = max(found)
                rows.append([network, *(f"{value:.1e}" for value in found)])
                print(*rows[-1], file=sys.stderr, flush=True)
        finally:
            browser.close()
    seconds = sum(map(len, clips)) / RATE
    print_table(f"{len(clips)} clips of {RELEASE}, {seconds:.0f} s; {machine()}", rows)
    return verdict(figures(largest), options.quick)


if __name__ == "__main__":
    sys.exit(main())
