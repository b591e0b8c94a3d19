"""Tables that others made, of parts of real recordings, to manifests and stores."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from langid.audio.decode import read_audio
from langid.commands.main import main
from langid.corpora.manifest import Manifest, read_table
from langid.corpora.manifest_file import ManifestFile
from langid.data.merge import beside
from langid.data.store import Store
from langid.errors import LangidError

PARTS = ((0.5, 3.25), (4.0, 6.5))  # of each course, in seconds


@pytest.fixture
def courses(real_clips: list[Path], tmp_path: Path) -> Path:
    """Return a folder with a long recording of each of two languages."""
    for name, first in (("hindi", 12), ("mandarin", 24)):
        samples = np.concatenate(
            [read_audio(clip, 16000) for clip in real_clips[first : first + 3]]
        )
        soundfile.write(tmp_path / f"{name}.wav", samples, 16000)
    return tmp_path


def told(manifest: Manifest) -> list[tuple[str, ...]]:
    """Return file, part, language and recording of the utterances, all as text."""
    names = ("path", "start_s", "end_s", "language", "recording")
    return [
        tuple(Path(row[name]).name if name == "path" else row[name] for name in names)
        for row in manifest.utterances
    ]


EXPECTED = [
    (f"{name}.wav", str(start), str(end), language, f"{name}.wav")
    for name, language in (("hindi", "Hindi"), ("mandarin", "Mandarin"))
    for start, end in PARTS
]


def rows() -> list[dict[str, Any]]:
    return [
        {"path": path, "lang": language, "start_s": float(start), "end_s": float(end)}
        for path, start, end, language, _ in EXPECTED
    ]


def json_lines(path: Path, objects: list[dict[str, Any]]) -> Path:
    text = "\n".join(map(json.dumps, objects)) + "\n"
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return path


@pytest.mark.parametrize("name", ["c.tsv", "c.csv", "c.jsonl", "c.jsonl.gz"])
def test_parts_of_long_recordings_in_any_table(courses: Path, name: str) -> None:
    path = courses / name
    if ".jsonl" in name:
        json_lines(path, rows())
    else:
        mark = "\t" if name == "c.tsv" else ","
        lines = [mark.join(map(str, row.values())) for row in rows()]
        path.write_text("\n".join([mark.join(rows()[0]), *lines]))
    manifest = ManifestFile(path, label="lang").read()
    assert told(manifest) == EXPECTED
    assert manifest.skipped == [] and {row["corpus"] for row in manifest.utterances} == {"c"}
    assert manifest.utterances[0]["utterance_id"] == "hindi.wav:0.5-3.25"


def test_a_store_of_parts_holds_them_and_splits_know_the_recording(courses: Path) -> None:
    table = [*rows(), {"path": "hindi.wav", "lang": "hi", "start_s": 2, "end_s": 900}]
    table += [{"path": "gone.wav", "lang": "hi", "start_s": 2, "end_s": 3}]
    path, store = json_lines(courses / "c.jsonl", table), courses / "c.h5"
    keys = ["corpus=manifest", f"corpus.path={path}", "corpus.label=lang", f"store={store}"]
    assert main(["prepare", *keys, "content=samples", "workers=1"]) == 0
    held = Store(store)
    assert held.columns["duration_s"].tolist() == ["2.750", "2.500"] * 2
    samples = held.read(*held.offsets[1:3])[0].reshape(-1) / 32768
    whole = read_audio(courses / "hindi.wav", 16000)[round(4.0 * 16000) : round(6.5 * 16000)]
    assert np.allclose(samples[: len(whole)], whole, atol=1e-4)
    assert np.allclose(read_audio(held.excerpt(1), 16000), whole, atol=1e-4)
    _, skipped = read_table(beside(store, "skipped"))
    assert [(Path(row[1]).name, row[3].partition(" (")[0]) for row in skipped] == [
        ("hindi.wav", skipped[0][3]), ("gone.wav", "no such file"),
    ]  # fmt: skip
    assert "before its part from 2 s to 900 s does" in skipped[0][3]
    again = ManifestFile(beside(store, "manifest")).read()  # what prepare wrote beside it
    assert told(again) == told(ManifestFile(path, label="lang").read())[:4]


def test_csv_holds_quotes_and_commas(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_text('\ufeffpath,language,speaker\r\n"a, b.wav",hi,"x ""y"""\r\n\r\nc.wav,en,\r\n')
    one, two = ManifestFile(path).read().utterances
    assert (Path(one["path"]).name, one["speaker"]) == ("a, b.wav", 'x "y"')
    assert (two["utterance_id"], two["language"], two["recording"]) == ("c.wav", "English", "")


def test_kaldi(courses: Path) -> None:
    names, segments = ("hindi", "mandarin"), []
    for name in names:
        segments += [
            f"{name}-{part} {name} {start} {end}" for part, (start, end) in enumerate(PARTS)
        ]
    segments += ["t-0 t 0 1", "gone-0 gone 0 1", "odd t 1", "mandarin-9 mandarin 1 -1"]
    scp = [*(f"{name}  {courses}/{name}.wav" for name in names), "t sph2pipe x |"]
    codes = [(name, "hi" if name == "hindi" else "zh") for name in names]
    files = {
        "wav.scp": "\n".join(scp),
        "segments": "\n".join(segments),
        "utt2lang": "\n".join(f"{n}-{part} {code}" for n, code in codes for part in (0, 1, 9)),
        "utt2spk": "hindi-0 ann\nhindi-1 bob\n",
    }  # fmt: skip
    folder = courses / "data"
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)
    manifest = ManifestFile(folder, "kaldi").read()
    expected = [(*row[:4], Path(row[0]).stem) for row in EXPECTED]
    assert told(manifest) == [*expected, ("mandarin.wav", "1", "", "Mandarin", "mandarin")]
    assert [row["speaker"] for row in manifest.utterances] == ["ann", "bob", "", "", ""]
    assert manifest.utterances[0]["utterance_id"] == "data/hindi-0"
    assert [row["reason"] for row in manifest.skipped] == [
        "wav.scp has a command, which is never run (sph2pipe x |); give it a file",
        "the recording gone is not in wav.scp",
        "3 fields; expected utterance, recording, start and end",
        "the utterance hindi-9 is not in segments",
    ]
    (folder / "segments").unlink()
    (folder / "utt2lang").write_text("hindi hi\n")
    manifest = ManifestFile(folder, "kaldi").read()
    assert told(manifest) == [("hindi.wav", "", "", "Hindi", "")]
    assert manifest.skipped[0]["reason"] == "the utterance mandarin is not in utt2lang"
    (folder / "utt2lang").rename(folder / "utt2language")
    assert len(ManifestFile(folder, "kaldi", "utt2language").read().utterances) == 1
    with pytest.raises(LangidError, match=r"utt2lang: no such file; a folder of Kaldi needs it"):
        ManifestFile(folder, "kaldi").read()
    with pytest.raises(LangidError, match=r"is a folder, .* corpus.format=kaldi"):
        ManifestFile(folder).read()


def recording(name: str, **source: Any) -> dict[str, Any]:
    sources = [{"type": "file", "channels": [0], "source": f"{name}.wav"} | source]
    return {"id": name, "sources": sources, "sampling_rate": 16000, "duration": 17.5}


def supervision(name: str, start: float, end: float, **more: Any) -> dict[str, Any]:
    held = {"id": f"{name}-{start}", "recording_id": name, "start": start, "channel": 0}
    language = "hi" if name == "hindi" else "Mandarin"
    return held | {"duration": end - start, "language": language, "speaker": "ann"} | more


@pytest.mark.parametrize("packed", ["", ".gz"])
def test_lhotse(courses: Path, packed: str) -> None:
    names = ("hindi", "mandarin")
    supervisions = [supervision(name, *part) for name in names for part in PARTS]
    strange = [
        supervision("gone", 0, 1), supervision("cloud", 0, 1), supervision("stereo", 0, 1),
        supervision("hindi", 9, 9.5, language=None), supervision("hindi", 1, 2) | {"start": "soon"},
        {"id": "x", "recording_id": "hindi", "lang": "hi"},
        supervision("hindi", 0, 17.5),
    ]  # fmt: skip
    recordings = [
        *map(recording, names), recording("cloud", type="url", source="s3://x"),
        recording("stereo", channels=[0, 1]),
    ]  # fmt: skip
    path = json_lines(courses / f"c_supervisions_all.jsonl{packed}", [*supervisions, *strange])
    with pytest.raises(LangidError, match=r"beside it, in c_recordings_all.jsonl.*, which is not"):
        ManifestFile(path, "lhotse").read()
    json_lines(courses / f"c_recordings_all.jsonl{packed}", recordings)
    manifest = ManifestFile(path, "lhotse").read()
    expected = [(*row[:4], Path(row[0]).stem) for row in EXPECTED]
    assert told(manifest) == [*expected, ("hindi.wav", "", "", "Hindi", "hindi")]
    assert {row["speaker"] for row in manifest.utterances} == {"ann"}
    assert [row["reason"] for row in manifest.skipped] == [
        "the recording gone is not among the recordings",
        "1 sources (url); expected one that is a file",
        "channel 0 of 2; give channels files of their own",
        "language is empty",
        "start=soon, duration=1: expected seconds, and a duration above 0",
        "no language; found id, recording_id, lang; needed are recording_id and the label, language"
        " (corpus.label=KEY names another)",
    ]
    cuts = [
        {"id": "c", "start": 0.25, "duration": 9, "type": "MonoCut", "recording": recording(name),
         "supervisions": [supervision(name, start - 0.25, end - 0.25) for start, end in PARTS]}
        for name in names
    ]  # fmt: skip
    cuts += [
        cuts[0] | {"supervisions": ["x"]},
        cuts[0] | {"supervisions": []},
        {"id": "m", "type": "MixedCut", "tracks": []},
    ]
    manifest = ManifestFile(json_lines(courses / f"cuts.jsonl{packed}", cuts), "lhotse").read()
    assert told(manifest) == expected
    assert [row["reason"] for row in manifest.skipped] == [
        "not as lhotse writes it ('str' object has no attribute 'get')",
        "a cut without supervisions, which has no label",
        "a MixedCut without a recording; expected a cut of one recording",
    ]


def test_nemo(courses: Path) -> None:
    lines = [
        {"audio_filepath": row["path"], "offset": row["start_s"], "text": "-", "label": row["lang"],
         "duration": row["end_s"] - row["start_s"]}
        for row in rows()
    ]  # fmt: skip
    lines += [{"audio_filepath": "hindi.wav", "duration": 17.5, "label": "hi"}]
    lines += [lines[0] | {"offset": "x"}, lines[0] | {"offset": 3, "duration": -1}]
    lines += [{"audio_filepath": "a.wav", "lang": "hi"}]
    manifest = ManifestFile(json_lines(courses / "n.json", lines), "nemo").read()
    assert told(manifest) == [*EXPECTED, ("hindi.wav", "", "", "Hindi", "")]
    assert [row["reason"] for row in manifest.skipped] == [
        "offset=x, duration=2.75: expected seconds, and a duration above 0",
        "offset=3, duration=-1: expected seconds, and a duration above 0",
        "no label; found audio_filepath, lang; needed are audio_filepath and the label, label"
        " (corpus.label=KEY names another)",
    ]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"start_s": 3, "end_s": 3}, "end_s=3 is not after start_s=3"),
        ({"end_s": 0}, "end_s=0 is not after start_s=0"),
        ({"start_s": -1, "end_s": 3}, "start_s is '-1'; expected seconds"),
        ({"start_s": "0:12"}, "start_s is '0:12'; expected seconds"),
        ({"end_s": "nan"}, "end_s is 'nan'; expected seconds"),
        ({"language": None}, "language is empty"),
        ({"path": ""}, "path is empty"),
        (
            {"split": "held"},
            "split is 'held'; accepted are train, validation (dev), test or nothing",
        ),
        ({}, "the same path as line 1"),
        ({"language": "en"}, "the same path as line 1, which says Hindi and not English"),
        (
            {"path": "x.ark:12"},
            "path is x.ark:12; nothing is fetched or unpacked: give an audio file",
        ),
        (
            {"path": "https://x.org/a.wav"},
            "path is https://x.org/a.wav; nothing is fetched or unpacked: give an audio file",
        ),
    ],
)
def test_rows_that_cannot_be_used_say_why(tmp_path: Path, row: dict[str, Any], reason: str) -> None:
    good: dict[str, Any] = {"path": "a.wav", "language": "hi"}
    manifest = ManifestFile(json_lines(tmp_path / "c.jsonl", [good, good | row])).read()
    assert [(row["source"], row["reason"]) for row in manifest.skipped] == [
        (f"{tmp_path}/c.jsonl:2", reason)
    ]


def test_labels_that_are_no_language_are_kept_and_told(tmp_path: Path) -> None:
    path = json_lines(tmp_path / "c.jsonl", [{"path": "a.wav", "language": "Hindee"}])
    manifest = ManifestFile(path).read()
    assert manifest.utterances[0]["language"] == "Hindee"
    assert "no language is known as 'Hindee' (the nearest is" in manifest.notes[0]


def test_tables_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(LangidError, match=r"corpus.format=sphere: accepted are table, kaldi, lhot"):
        ManifestFile(tmp_path, "sphere")
    for name in ("c.tsv", "c.csv", "c.jsonl", "c.jsonl.gz"):
        with pytest.raises(LangidError, match=f"{name}: no such file"):
            ManifestFile(tmp_path / name).read()
    with pytest.raises(
        LangidError, match=r"no such folder; expected one with wav.scp and utt2lang"
    ):
        ManifestFile(tmp_path / "data", "kaldi").read()
    (tmp_path / "c.csv").write_text("path;language\na.wav;hi\n")
    with pytest.raises(LangidError, match=r"no column path, language; .*by commas, not by semi"):
        ManifestFile(tmp_path / "c.csv").read()
    (tmp_path / "c.csv").write_text("path,lang\na.wav,hi\n")
    with pytest.raises(LangidError, match=r"no column language; .*corpus.label=COLUMN names ano"):
        ManifestFile(tmp_path / "c.csv").read()
    (tmp_path / "c.csv").write_text("")
    with pytest.raises(LangidError, match=r"c.csv: the file is empty"):
        ManifestFile(tmp_path / "c.csv").read()
    (tmp_path / "c.csv").write_bytes(b"path,\xff")
    with pytest.raises(LangidError, match=r"c.csv: not a UTF-8 text file .*save it as UTF-8"):
        ManifestFile(tmp_path / "c.csv").read()
    (tmp_path / "c.jsonl.gz").write_bytes(gzip.compress(b'{"path": "a"}\n' * 99)[:-9])
    with pytest.raises(LangidError, match=r"c.jsonl.gz: not a whole gzip file"):
        ManifestFile(tmp_path / "c.jsonl.gz").read()
    (tmp_path / "c.jsonl").write_text('{"path": \n[1]\n')
    with pytest.raises(LangidError, match=r"no usable row among 2; .*c.jsonl:1: not JSON"):
        ManifestFile(tmp_path / "c.jsonl").read()


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.csv", "path,language\na.wav,hi\n" + "x" * 200_000 + ",hi\n", "not a CSV .field larger"),
        ("a.csv", "path,lang\x1b[2J\r\u2028uage\n", "found path, lang\ufffd.2J; needed"),
        ("a.tsv", "path\tl\x85a\nx\ty\n", "no column language; found path, l\ufffda; needed"),
        ("a.tsv", "x" * 100_000, "x ...; needed are path and the label"),
        ("a.CSV", "path\tlanguage\na.wav\thi\n", "separated by commas, not by tabs"),
        ("a.tsv", "path,language\na.wav,hi\n", "separated by tabs, not by commas"),
        (
            "a.csv",
            "PK\x03\x04\x14",
            "a spreadsheet or a zip; save the sheet as CSV in UTF-8",
        ),
        (
            "a.jsonl",
            '{"file": "a", "lang": "hi"}',
            "no path, language; found file, lang; needed",
        ),
        ("a.jsonl", "[" * 200_000, "no usable row among 1; .*:1: not JSON .maximum recursion"),
    ],
)
def test_what_is_no_table_is_refused_in_one_short_line(
    name: str, content: str, reason: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content.encode())
    with pytest.raises(LangidError, match=reason) as refused:
        ManifestFile(tmp_path / name).read()
    assert len(str(refused.value).splitlines()) == 1
    assert len(str(refused.value)) < 1000


def test_text_of_other_encodings_is_told_how_to_save(tmp_path: Path) -> None:
    text = "path,language\ncaf\xe9.wav,hi\n"
    for encoding in ("utf-16", "latin-1"):
        for name in ("a.csv", "a.tsv"):
            (tmp_path / name).write_bytes(
                text.replace(",", "," if "c" in name else "\t").encode(encoding)
            )
            with pytest.raises(LangidError, match=r"UTF-.*; save it as UTF-8, .*iconv"):
                ManifestFile(tmp_path / name).read()
    (tmp_path / "a.jsonl").write_bytes('{"path": "caf\xe9"}'.encode("latin-1"))
    with pytest.raises(LangidError, match=r"jsonl:1: not in UTF-8 .*; save it as UTF-8"):
        ManifestFile(tmp_path / "a.jsonl").read()


@pytest.mark.parametrize(
    "name", ["c.TSV", "c.Csv", "c.csv.gz", "c.tsv.gz", "C.JSONL", "c.jsonl.GZ"]
)
def test_spaces_spellings_of_parts_and_endings_do_not_matter(tmp_path: Path, name: str) -> None:
    table = [
        ["path", " lang ", "speaker", "split"], [" a.wav", " en ", "s1 ", " Dev"],
        ["b.wav ", "en", "s1", "valid"], ["~/c.wav", "hi", "", "Train"],
        ["d.wav", "hi", "\xa0", "TEST"],
    ]  # fmt: skip
    mark = "\t" if "tsv" in name.lower() else ", "
    text = "\n".join(map(mark.join, table))
    if "json" in name.lower():
        keys = [key.strip() for key in table[0]]
        text = "\n".join(json.dumps(dict(zip(keys, row, strict=True))) for row in table[1:])
    packed = gzip.compress(text.encode()) if name.lower().endswith("gz") else text.encode()
    (tmp_path / name).write_bytes(packed)
    rows = ManifestFile(tmp_path / name, label="lang").read().utterances
    assert [(row["path"], row["language"], row["speaker"], row["split"]) for row in rows] == [
        (f"{tmp_path}/a.wav", "English", "s1", "validation"),
        (f"{tmp_path}/b.wav", "English", "s1", "validation"),
        (str(Path.home() / "c.wav"), "Hindi", "", "train"),
        (f"{tmp_path}/d.wav", "Hindi", "", "test"),
    ]


def test_rows_that_are_given_again_name_the_line_and_the_label(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    rows = ["a.mp3,en,,", "a.mp3,hi,,", "a.mp3,en,1,", "a.mp3,en,1,", "b.mp3,hi,,x", "c.mp3,hi,,x"]
    path.write_text("\n".join(["path,language,start_s,utterance_id", *rows]))
    assert [(row["source"], row["reason"]) for row in ManifestFile(path).read().skipped] == [
        (f"{path}:3", "the same path as line 2, which says English and not Hindi"),
        (f"{path}:5", "the same part of the path as line 4"),
        (f"{path}:7", "the same utterance_id as line 6"),
    ]
