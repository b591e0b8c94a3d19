"""A corpus of which one language was recorded through a low-pass, to see whether that is found.

python experiments/shortcuts/low_passed.py STORE.manifest.tsv LANGUAGE HERTZ FOLDER
"""

import sys
from pathlib import Path

import soundfile
from scipy.signal import butter, sosfiltfilt

from langid.audio.decode import read_audio
from langid.corpora.manifest import COLUMNS, read_table, write_table

RATE = 16000


def main(manifest: Path, language: str, hertz: float, folder: Path) -> None:
    """Write all clips as WAV files of one rate, those of a language filtered, and a manifest."""
    header, rows = read_table(manifest)
    low_pass = butter(8, hertz, fs=RATE, output="sos")
    folder.mkdir(parents=True)
    table = [dict(zip(header, row, strict=True)) for row in rows]
    for number, row in enumerate(table):
        samples = read_audio(row["path"], RATE)
        if row["language"] == language:
            samples = sosfiltfilt(low_pass, samples)
        row["path"] = str((folder / f"{number:06d}.wav").resolve())
        soundfile.write(row["path"], samples, RATE)
    write_table(table, COLUMNS, folder / "manifest.tsv")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]), Path(sys.argv[4]))
