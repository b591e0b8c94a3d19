"""Every clip of a store whole, its first second and three of speech, and two random crops of it.

    python experiments/pretrained/pieces.py STORE.h5 FOLDER

writes the pieces as FOLDER/*.flac, and FOLDER/pieces.tsv, a manifest of them and of the whole
clips; corpus=manifest reads it. Pieces are corpora of their own (1s, 3s, crops), so that each kind
can be scored alone, but for those of clips that only train. So the states of a frozen encoder are
made once, where data.crop_s makes them anew in every epoch.
"""

import sys
from pathlib import Path

import numpy as np
import soundfile

from langid.audio.decode import read_audio
from langid.corpora.manifest import COLUMNS, write_table
from langid.data.store import Store

CROP_S = (0.5, 3.0)
CROPS = 2  # of each clip
ONLY_TRAINS = "folders"


def main(store: Path, folder: Path) -> None:
    """Write the pieces of all clips of a store."""
    held = Store(store)
    rate, hop = held.description["sample_rate"], held.description["hop_samples"]
    folder.mkdir(parents=True)
    random, rows = np.random.default_rng(0), []
    for number, utterance in enumerate(held.utterances.to_dict("records")):
        speech = held.read_speech(held.offsets[number], held.offsets[number + 1])
        samples = read_audio(Path(utterance["path"]), rate)
        speaker = utterance["speaker"] or utterance["utterance_id"]
        rows.append(utterance | {"speaker": speaker})
        first = int(np.argmax(speech)) * hop
        pieces = [("1s", samples[first:][:rate]), ("3s", samples[first:][: 3 * rate])]
        for _ in range(CROPS):
            size = round(random.uniform(*CROP_S) * rate)
            start = random.integers(0, max(1, len(samples) - size + 1))
            pieces.append(("crops", samples[start:][:size]))
        for place, (kind, piece) in enumerate(pieces):
            path = folder / f"{number:06d}-{place}.flac"
            soundfile.write(path, piece, rate)
            rows.append(
                utterance
                | {
                    "utterance_id": f"{utterance['utterance_id']}-{kind}-{place}",
                    "path": str(path),
                    "speaker": speaker,
                    "duration_s": f"{len(piece) / rate:.3f}",
                    "corpus": ONLY_TRAINS if utterance["corpus"] == ONLY_TRAINS else kind,
                }
            )
    table = [{name: str(row[name]) for name in COLUMNS} for row in rows]
    write_table(table, COLUMNS, folder / "pieces.tsv")
    print(f"{len(rows)} clips and pieces")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]).absolute())
