"""Largest difference of posteriors between the page's runtime in Chromium and PyTorch.

Every streaming network, in the width of its configuration, is exported and hears real clips in
headless Chromium through the page's own identifier.js, cut into chunks of 1, 37, 160, 1600 and all
samples. Each frame is held against offline PyTorch. Weights are random, scaled so that posteriors
go through their whole range: training changes nothing of the comparison. Needs chromium, and what
make page installs.
"""

import argparse
import base64
import logging
import os
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np
import torch
from figures import Figure, machine, print_table, verdict
from omegaconf import OmegaConf

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from langid.commands.configuration import compose  # noqa: E402
from langid.corpora.common_voice import CommonVoice  # noqa: E402
from langid.signal.audio import read_audio  # noqa: E402
from langid.streaming.export import export_onnx  # noqa: E402
from langid.streaming.page_server import PageServer  # noqa: E402
from langid.training.checkpoint import build_identifier  # noqa: E402
from langid.training.identifier import LanguageIdentifier  # noqa: E402
from tests.streaming.page.chromium import Chromium, Page  # noqa: E402

RELEASE = "cv-corpus-6.1-2020-12-11"
LOCALES = ("en", "hi", "zh-CN")
NETWORKS = ("rnn", "gru", "lstm", "tcn", "conformer")
CHUNKS = (1, 37, 160, 1600, 0)  # in samples; 0 is the whole clip
RATE = 16000
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


def real_clips(data: Path, count: int) -> list[np.ndarray]:
    """Return so many clips of three languages, each of another speaker, float32 at 16 kHz."""
    rows = CommonVoice(str(data / RELEASE), LOCALES).read().utterances
    first = {row["speaker"]: row for row in reversed(rows)}
    chosen = list(first.values())[:: max(1, len(first) // count)][:count]
    return [read_audio(row["path"], RATE) for row in chosen]


def random_identifier(network: str, clips: list[np.ndarray]) -> LanguageIdentifier:
    """Return an identifier with confident posteriors, normalised on the clips."""
    torch.manual_seed(0)
    train = compose("train", [f"model={network}", "store=-"])
    prepare = compose("prepare", ["corpus=folders"])
    identifier = build_identifier(
        {
            "classes": ["English", "Hindi", "Mandarin"],
            "silence": "mask",
            "model": OmegaConf.to_container(train.model),
            "features": OmegaConf.to_container(prepare.features),
            "detector": OmegaConf.to_container(prepare.detector),
        }
    ).eval()
    with torch.no_grad():
        heard = [identifier.front_end(torch.from_numpy(clip)[None])[0] for clip in clips]
        frames = torch.cat(heard, 1)[0]
        identifier.normaliser.fit(frames.mean(0), frames.std(0))
        logits = identifier(heard[0], torch.tensor([heard[0].shape[1]]))
        identifier.network.output.weight.mul_(2 / logits.std(1).mean())
    return identifier


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
    return [Figure(network, value, LIMIT) for network, value in largest.items()]


def main() -> int:
    """Measure and return 0 where all figures hold, else 1."""
    data = os.environ.get("LANGID_DATA", ROOT.parent / "shared" / "data")
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=data, help=f"folder of {RELEASE}")
    parser.add_argument("--clips", type=int, default=50, help="how many (50)")
    parser.add_argument("--networks", nargs="+", default=NETWORKS, help="which (all)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    clips = real_clips(options.data, options.clips)
    rows = [["network", *(f"{chunk} samples" if chunk else "whole clip" for chunk in CHUNKS)]]
    largest: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        browser = Chromium(Path(name) / "profile")
        try:
            for network in options.networks:
                found = differences(browser, random_identifier(network, clips), clips, Path(name))
                largest[network] = max(found)
                rows.append([network, *(f"{value:.1e}" for value in found)])
                print(*rows[-1], file=sys.stderr, flush=True)
        finally:
            browser.close()
    seconds = sum(map(len, clips)) / RATE
    print_table(f"{len(clips)} clips of {RELEASE}, {seconds:.0f} s; {machine()}", rows)
    return verdict(figures(largest))


if __name__ == "__main__":
    sys.exit(main())
