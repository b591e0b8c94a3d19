"""What is heard where nobody speaks: the pauses of every clip of a store, as clips of their own.

    python experiments/pretrained/pauses.py STORE.h5 FOLDER

writes FOLDER/*.flac, the frames of each clip that its detector does not mark, one after the other,
and FOLDER/pauses.tsv, a manifest of those that last half a second; corpus=manifest reads it.
"""

import sys
from pathlib import Path

import numpy as np
import soundfile

from langid.audio.decode import read_audio
from langid.corpora.manifest import COLUMNS, write_table
from langid.data.store import Store

LEAST_S = 0.5


def main(store: Path, folder: Path) -> None:
    """Write the pauses of all clips of a store."""
    held = Store(store)
    rate, hop = held.description["sample_rate"], held.description["hop_samples"]
    folder.mkdir(parents=True)
    rows = []
    for number, utterance in enumerate(held.utterances.to_dict("records")):
        speech = held.read_speech(held.offsets[number], held.offsets[number + 1])
        samples = read_audio(Path(utterance["path"]), rate)[: len(speech) * hop]
        pauses = samples[~np.repeat(speech, hop)[: len(samples)]]
        if len(pauses) >= LEAST_S * rate:
            path = folder / f"{number:06d}.flac"
            soundfile.write(path, pauses, rate)
            row = utterance | {"path": str(path), "duration_s": f"{len(pauses) / rate:.3f}"}
            rows.append({name: str(row[name]) for name in COLUMNS})
    write_table(rows, COLUMNS, folder / "pauses.tsv")
    print(f"{len(rows)} of {len(held.utterances)} clips have {LEAST_S:g} s without speech")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]).absolute())
