"""A release of Common Voice and a store with as many rows as are asked for."""

import json
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from omegaconf import OmegaConf

from langid.commands.configuration import compose
from langid.corpora.common_voice import CommonVoice
from langid.corpora.manifest import COLUMNS, write_table
from langid.data.store import SCHEMA, Content
from langid.data.store_writer import StoreWriter

RELEASE = "cv-corpus-99.0-2030-01-01"
SHARES = {"en": 0.8, "zh-CN": 0.15, "hi": 0.05}
LINKS = 60_000  # names that a file may have; ext4 ends at 65,000
FRAMES = (200, 800)  # of utterances: five seconds on average
HEADER = (
    "client_id", "path", "sentence_id", "sentence", "sentence_domain", "up_votes", "down_votes",
    "age", "gender", "accents", "variant", "locale", "segment",
)  # fmt: skip
AGES = ("", "", "teens", "twenties", "thirties", "forties", "fifties")
ACCENTS = ("", "", "", "United States English", "India and South Asia (India, Pakistan, Sri Lanka)")
SENTENCES = {
    "en": "The town lies on both banks of the river, some {} miles from the sea.",
    "zh-CN": "这座城市位于河流的两岸，距离大海大约{}公里。",
    "hi": "यह शहर नदी के दोनों किनारों पर बसा है, समुद्र से लगभग {} मील दूर।",
}


def description() -> dict[str, object]:
    """Return what is stored as ``langid prepare`` asks for it by default."""
    config = compose("prepare", ["corpus=folders"])
    groups = {name: OmegaConf.to_container(config[name]) for name in ("features", "detector")}
    return groups | {"content": "features", "min_duration_s": 0.5, "max_duration_s": None}


def write_release(root: Path, rows: int) -> None:
    """Write the tables of a release, and clips which are names of few empty files."""
    random = np.random.default_rng(0)
    for locale, share in SHARES.items():
        folder = root / locale
        (folder / "clips").mkdir(parents=True)
        names = [f"common_voice_{locale}_{17_000_000 + n}.mp3" for n in range(int(rows * share))]
        for place in range(0, len(names), LINKS):
            first, *others = (folder / "clips" / name for name in names[place : place + LINKS])
            first.touch()
            for other in others:
                os.link(first, other)
        with open(folder / "validated.tsv", "w", encoding="utf-8") as file:
            file.write("\t".join(HEADER) + "\n")
            file.writelines(_lines(locale, names, random))


def _lines(locale: str, names: list[str], random: np.random.Generator) -> Iterator[str]:
    """Yield the rows of speakers who read some fifteen clips each, a few of them many more."""
    left = iter(names)
    for number in range(len(names)):
        clips = list(islice(left, int(random.pareto(1.2) * 4) + 1))
        client = f"{number:08x}{locale.encode().hex()}".ljust(128, "0")
        age, accent = (str(random.choice(of)) for of in (AGES, ACCENTS))
        for clip in clips:
            told = SENTENCES[locale].format(len(clip) + number)
            cells = (client, clip, client[:64], told, "", "2", "0", age, "male_masculine" if age
                     else "", accent, "", locale, "")  # fmt: skip
            yield "\t".join(cells) + "\n"


def write_manifest(release: Path, path: Path) -> None:
    """Write the rows of a release as the table that ``prepare`` writes beside a store."""
    write_table(CommonVoice(str(release)).read().utterances, COLUMNS, path)


def write_store(release: Path, path: Path) -> None:
    """Write a store of the rows of a release, with frames of one bin."""
    random = np.random.default_rng(0)
    rows = CommonVoice(str(release)).read().utterances
    lengths = random.integers(*FRAMES, len(rows))
    speech = np.tile([True] * 90 + [False] * 30, 10)
    values = np.ones((len(speech), 1), np.float16)
    described = description() | {
        "corpora": [], "sample_rate": 16000, "hop_samples": 160, "bins": 1, "context_frames": 2,
    }  # fmt: skip
    with StoreWriter(path, Content("features", 1), int(lengths.sum())) as writer:
        for row, length in zip(rows, lengths, strict=True):
            writer.write_frames(values[:length], speech[:length])
            writer.end_utterance({**row, "duration_s": f"{length / 100:.3f}"})
        text = json.dumps(described)
        writer.finish({"schema": SCHEMA, "description": text, "fingerprint": "scale"})
