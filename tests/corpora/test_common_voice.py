import os
import shutil
import signal
import tarfile
from pathlib import Path
from typing import Any

import pytest

from langid.audio.archives import contents
from langid.audio.decode import read_audio
from langid.commands.main import main
from langid.corpora.common_voice import CommonVoice
from langid.corpora.manifest import read_rows
from langid.data import shard
from langid.data.store import Store
from langid.errors import LangidError

# One genuine table of every layout, and the locale whose name its clips carry.
LAYOUTS = {
    "bare-hash-path.en.tsv": 300,
    "cv-8col-accent.en.tsv": 300,
    "cv-10col-accent.es.tsv": 300,
    "cv-10col-accents.en.tsv": 300,
    "cv-11col-variant.zh-TW.tsv": 23,
    "cv-13col.en.tsv": 250,
    "cv-13col.id.tsv": 300,
}
HEADER = "client_id\tpath\tsentence\tup_votes\tdown_votes\tage\tgender\taccent"


def release(folder: Path, locale: str, text: str, table: str = "validated") -> Path:
    """Write a release with one table and an empty clip for each of its rows; return its root."""
    clips = folder / locale / "clips"
    clips.mkdir(parents=True, exist_ok=True)
    (folder / locale / f"{table}.tsv").write_text(text, encoding="utf-8", newline="")
    for line in text.splitlines()[1:]:
        if "\t" in line:
            name = line.split("\t")[1]
            (clips / (name if name.endswith(".mp3") else f"{name}.mp3")).touch()
    return folder


def line(speaker: str, path: str, age: str = "", gender: str = "", accent: str = "") -> str:
    return "\t".join((speaker, path, "A sentence.", "2", "0", age, gender, accent))


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_every_layout_is_read_whole(
    data_root: Path, tmp_path: Path, name: str, line_end: str
) -> None:
    text = (data_root / "tsv" / name).read_bytes().decode()
    locale = name.split(".")[1]
    root = release(tmp_path / "cv-corpus-x", locale, text.replace("\n", line_end))
    manifest = CommonVoice(str(root)).read()
    assert len(manifest.utterances) == LAYOUTS[name]
    assert manifest.skipped == []
    header, rows = read_rows(data_root / "tsv" / name)
    accent = header.index("accents" if "accents" in header else "accent")
    for row, cells in zip(manifest.utterances, rows, strict=True):
        assert row["speaker"] == cells[0]
        assert row["path"] == str(
            root / locale / "clips" / (cells[1].removesuffix(".mp3") + ".mp3")
        )
        assert row["age"] == cells[header.index("age")].replace("fourties", "forties")
        assert row["accent"] == cells[accent]
        assert row["gender"] in (cells[header.index("gender")], "male", "female")


def test_odd_spellings_and_quotes(tmp_path: Path) -> None:
    rows = [
        line("a", "one", "fourties", "male_masculine", 'English, "Indian"'),
        line("b", "two.mp3", "teens", "female_feminine").replace("A sentence.", 'He said "no'),
        line("c", "three.mp3", "sixties", "other").replace("A sentence.", '"'),
    ]
    root = release(tmp_path / "cv", "en", "\ufeff" + "\n".join([HEADER, *rows]) + "\n\n")
    one, two, three = CommonVoice(str(root)).read().utterances
    assert (one["age"], one["gender"], one["accent"]) == ("forties", "male", 'English, "Indian"')
    assert Path(one["path"]).name == "one.mp3"
    assert (two["age"], two["gender"]) == ("teens", "female")
    assert (three["speaker"], three["gender"]) == ("c", "other")


def test_rows_left_out_stand_in_skipped_with_line_and_reason(tmp_path: Path) -> None:
    rows = [line("a", "one.mp3"), line("b", "absent.mp3"), "c\tshort.mp3", line("d", "one.mp3")]
    root = release(tmp_path / "cv", "hi", "\n".join([HEADER, *rows]))
    (root / "hi" / "clips" / "absent.mp3").unlink()
    manifest = CommonVoice(str(root)).read()
    assert [row["speaker"] for row in manifest.utterances] == ["a"]
    table = root / "hi" / "validated.tsv"
    assert [row["source"] for row in manifest.skipped] == [f"{table}:{n}" for n in (3, 4, 5)]
    absent, short, doubled = (row["reason"] for row in manifest.skipped)
    assert absent == f"the clip is not in {root / 'hi' / 'clips'}"
    assert short == "2 fields, the header has 8"
    assert doubled == f"the same clip as in {table}:2"
    assert {row["language"] for row in manifest.skipped} == {"Hindi"}


def test_real_releases_of_several_roots(data_root: Path) -> None:
    roots = [
        data_root / name
        for name in (
            "cv-corpus-6.1-2020-12-11",
            "cv-corpus-11.0-hi-sample",
            "cv-corpus-pre5",
            "cv-corpus-13.0-delta-2023-03-09",  # a delta: no train, dev and test tables
        )
    ]
    manifest = CommonVoice([str(root) for root in roots], ["en", "hi", "zh-CN"]).read()
    assert manifest.skipped == []
    counts = {
        root.name: sum(row["corpus"] == root.name for row in manifest.utterances) for root in roots
    }
    assert list(counts.values()) == [300, 332, 331, 652]
    assert {row["language"] for row in manifest.utterances} == {"English", "Hindi", "Mandarin"}
    assert all(Path(row["path"]).is_file() for row in manifest.utterances)
    assert len({row["utterance_id"] for row in manifest.utterances}) == 1615
    speakers = {r["speaker"] for r in manifest.utterances if r["corpus"] == roots[2].name}
    assert len(speakers) == 171
    delta = [row for row in manifest.utterances if row["corpus"] == roots[3].name]
    assert {row["age"] for row in delta} >= {"teens", "forties", "sixties"}


def test_mandarin_is_two_locales_and_cantonese_is_not_one(data_root: Path) -> None:
    manifest = CommonVoice(
        str(data_root / "cv-corpus-6.1-2020-12-11"), ["zh-CN", "zh-TW", "zh-HK"]
    ).read()
    languages = {row["utterance_id"].split("/")[1]: row["language"] for row in manifest.utterances}
    assert languages == {"zh-CN": "Mandarin", "zh-TW": "Mandarin", "zh-HK": "Cantonese"}


def test_all_locales_are_the_default_and_one_need_not_be_a_list(data_root: Path) -> None:
    root = str(data_root / "cv-corpus-6.1-2020-12-11")
    manifest = CommonVoice(root).read()
    locales = {folder.name for folder in Path(root).iterdir()}
    assert {row["utterance_id"].split("/")[1] for row in manifest.utterances} == locales
    assert len(manifest.utterances) == 100 * len(locales)
    assert {row["language"] for row in CommonVoice(root, "pa-IN").read().utterances} == {"Punjabi"}


def test_the_table_is_a_key_and_official_parts_are_kept(tmp_path: Path) -> None:
    for table in ("train", "dev", "test", "other"):
        release(tmp_path / "cv", "en", f"{HEADER}\n{line(table, f'{table}.mp3')}\n", table)
    root = str(tmp_path / "cv")
    rows = CommonVoice(root, tsv=["train", "dev", "test.tsv"]).read().utterances
    assert [row["split"] for row in rows] == ["train", "validation", "test"]
    assert CommonVoice(root, tsv="other").read().utterances[0]["speaker"] == "other"
    with pytest.raises(LangidError, match=r"validated.tsv: no such table.*dev, other, test, train"):
        CommonVoice(root).read()


def test_official_parts_by_one_key_and_other_tables_by_name(tmp_path: Path) -> None:
    for table in ("train", "dev", "test", "other", "invalidated", "validated"):
        release(tmp_path / "cv", "en", f"{HEADER}\n{line(table, f'{table}.mp3')}\n", table)
    reader = CommonVoice(str(tmp_path / "cv"), tsv="official")
    assert reader.tables == ["train", "dev", "test"]  # as if they had been typed
    assert [row["split"] for row in reader.read().utterances] == ["train", "validation", "test"]
    mixed = CommonVoice(str(tmp_path / "cv"), tsv=["official", "other", "invalidated", "train"])
    assert [(row["speaker"], row["split"]) for row in mixed.read().utterances] == [
        ("train", "train"), ("dev", "validation"), ("test", "test"), ("other", ""),
        ("invalidated", ""),
    ]  # fmt: skip


def test_durations_are_those_of_the_release(data_root: Path, tmp_path: Path) -> None:
    genuine = (data_root / "tsv" / "clip_durations.id.tsv").read_text()
    clip, milliseconds = genuine.splitlines()[1].split("\t")
    rows = "\n".join([HEADER, line("a", clip), line("b", "unknown.mp3")])
    root = release(tmp_path / "cv", "id", rows)
    (root / "id" / "clip_durations.tsv").write_text(genuine)
    manifest = CommonVoice(str(root)).read()
    assert [row["duration_s"] for row in manifest.utterances] == [
        f"{int(milliseconds) / 1e3:.3f}",
        "",
    ]
    with pytest.raises(LangidError, match=r"no such table; corpus.tsv can be validated$"):
        CommonVoice(str(root), tsv="other").read()
    (root / "id" / "clip_durations.tsv").write_text("clip\tseconds\n")
    with pytest.raises(LangidError, match=r"clip_durations.tsv: no column duration\[ms\]; found"):
        CommonVoice(str(root)).read()


def packed(root: Path, archive: Path, inside: str) -> Path:
    """Pack a release as it lies, its clips in another order than its table's."""
    names = sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
    with tarfile.open(archive, "w:gz") as made:
        for name in reversed(names):
            made.add(root / name, f"{inside}{name}")
        made.add(root / names[0], f"{inside}en/clips/._hidden.mp3")
    return archive


@pytest.fixture(scope="module")
def real_release(data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a release of 8 real clips of each of two locales, with their genuine rows."""
    root = tmp_path_factory.mktemp("release") / "cv-corpus-6.1-2020-12-11"
    for locale in ("en", "hi"):
        source = data_root / root.name / locale
        lines = (source / "validated.tsv").read_text(encoding="utf-8").splitlines()[:9]
        release(root, locale, "\n".join(lines))
        for clip in (root / locale / "clips").iterdir():
            shutil.copy(source / "clips" / clip.name, clip)
    return root


def test_a_packed_release_is_the_release(real_release: Path, tmp_path: Path) -> None:
    unpacked = CommonVoice(str(real_release)).read()
    archive = packed(real_release, tmp_path / "all.tar.gz", f"./{real_release.name}/")
    manifest = CommonVoice(str(archive)).read()
    assert manifest.skipped == manifest.notes == []
    without_path = [
        sorted(
            ({**row, "path": ""} for row in each.utterances), key=lambda row: row["utterance_id"]
        )
        for each in (unpacked, manifest)
    ]
    assert without_path[0] == without_path[1]
    inside = [row["path"].partition(f"{archive}/")[2] for row in manifest.utterances]
    assert inside[0].startswith(f"{real_release.name}/en/clips/")
    order = [name for name in contents(archive) if name in inside]
    for locale in ("/en/", "/hi/"):  # in the order of the archive
        assert [n for n in inside if locale in n] == [n for n in order if locale in n]
    assert len(CommonVoice(str(archive), "hi").read().utterances) == 8


def test_a_store_of_a_packed_release_holds_the_same_clips(
    real_release: Path, tmp_path: Path
) -> None:
    archive = packed(real_release, tmp_path / "en.tar.gz", "cv/")
    stores = []
    for number, (root, workers) in enumerate(((real_release, 1), (archive, 1), (archive, 2))):
        keys = [f"corpus.root={root}", f"store={tmp_path}/{number}.h5", f"workers={workers}"]
        assert main(["prepare", "corpus=common_voice", *keys]) == 0
        stores.append(Store(tmp_path / f"{number}.h5"))
    of_clip = [
        {
            Path(clip).name: store.read(*store.offsets[row : row + 2])[0].tobytes()
            for row, clip in enumerate(store.columns["utterance_id"])
        }
        for store in stores
    ]
    assert of_clip[0] == of_clip[1] == of_clip[2] and len(of_clip[0]) == 16
    assert stores[1].fingerprint == stores[2].fingerprint
    assert sorted(path.suffix for path in tmp_path.iterdir() if path.suffix != ".tsv") == [
        ".gz", ".h5", ".h5", ".h5",
    ]  # fmt: skip
    samples = read_audio(stores[1].excerpt(15), 16000)  # heard again, as export does
    assert len(samples) / 16000 == pytest.approx(
        float(stores[1].columns["duration_s"][15]), abs=1e-3
    )


def test_a_killed_prepare_of_a_packed_release_goes_on(
    real_release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = packed(real_release, tmp_path / "en.tar.gz", "cv/")
    monkeypatch.setattr(shard, "SHARD_UTTERANCES", 4)
    arguments = ["prepare", "corpus=common_voice", f"corpus.root={archive}", "workers=1"]
    write_shard, written = shard.write_shard, []

    def killed(path: Path, *more: Any) -> int:
        if len(written) == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        written.append(path)
        return write_shard(path, *more)

    child = os.fork()
    if child == 0:
        monkeypatch.setattr(shard, "write_shard", killed)
        os._exit(main([*arguments, f"store={tmp_path}/a.h5"]))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert len(list((tmp_path / "a.h5.parts").rglob("*.h5"))) == 2
    for name in ("a", "b"):
        assert main([*arguments, f"store={tmp_path}/{name}.h5"]) == 0
    assert Store(tmp_path / "a.h5").fingerprint == Store(tmp_path / "b.h5").fingerprint


def test_early_archives_hold_one_locale_which_their_name_tells(tmp_path: Path) -> None:
    root = release(tmp_path / "cv", "en", f"{HEADER}\n{line('a', 'one.mp3')}\n")
    rows = CommonVoice(str(packed(root / "en", tmp_path / "hi.tar.gz", ""))).read().utterances
    assert [(row["language"], row["utterance_id"]) for row in rows] == [("Hindi", "hi/hi/one")]


def test_archives_that_are_none_are_named(tmp_path: Path) -> None:
    (tmp_path / "page.tar.gz").write_text("<html>not found</html>")
    with pytest.raises(LangidError, match=r"page.tar.gz: not a whole archive that can be read"):
        CommonVoice(str(tmp_path / "page.tar.gz")).read()
    with tarfile.open(tmp_path / "other.tar.gz", "w:gz") as made:
        made.add(tmp_path / "page.tar.gz", "a/b.txt")
    with pytest.raises(LangidError, match=r"other.tar.gz: no locale in it; expected RELEASE/LOC"):
        CommonVoice(str(tmp_path / "other.tar.gz")).read()
    with pytest.raises(LangidError, match=r"it holds archives, give those: other.tar.gz, page.tar"):
        CommonVoice(str(tmp_path)).read()
    (tmp_path / "notes.txt").touch()
    with pytest.raises(LangidError, match=r"notes.txt: is a file; expected a release's folder, or"):
        CommonVoice(str(tmp_path / "notes.txt")).read()


def test_a_clip_in_two_releases_is_read_once(tmp_path: Path) -> None:
    text = f"{HEADER}\n{line('a', 'common_voice_en_1.mp3')}\n"
    roots = [str(release(tmp_path / name, "en", text)) for name in ("cv-6", "cv-7")]
    manifest = CommonVoice(roots).read()
    assert [row["corpus"] for row in manifest.utterances] == ["cv-6"]
    assert manifest.skipped[0]["source"] == f"{tmp_path}/cv-7/en/validated.tsv:2"
    assert manifest.skipped[0]["reason"].startswith("the same clip as in")


def test_parts_that_a_locale_does_not_have_are_named_and_the_others_read(tmp_path: Path) -> None:
    root = tmp_path / "cv"
    tables = ("train", "dev", "test")
    for locale in ("ab", "en", "hi"):
        for table in tables:
            release(root, locale, f"{HEADER}\n{line('a', f'{locale}_{table}.mp3')}\n", table)
    (root / "ab" / "dev.tsv").unlink()
    (root / "en" / "dev.tsv").write_text(f"{HEADER}\n")
    (root / "hi" / "test.tsv").write_text("")
    manifest = CommonVoice(str(root), tsv=tables).read()
    assert [Path(row["path"]).stem for row in manifest.utterances] == [
        "ab_train", "ab_test", "en_train", "en_test", "hi_train", "hi_dev",
    ]  # fmt: skip
    assert [(row["source"], row["language"], row["reason"]) for row in manifest.skipped] == [
        (f"{root}/ab/dev.tsv", "Abkhaz", "no such table; corpus.tsv can be test, train"),
        (f"{root}/en/dev.tsv", "English", "the table has a header and no rows"),
        (f"{root}/hi/test.tsv", "Hindi", "the file is empty; expected a header line and rows"),
    ]
    assert manifest.notes == [
        f"{root}: dev.tsv is missing or has no rows in 2 of 3 locales (ab, en); what is there is"
        " read",
        f"{root}: test.tsv is missing or has no rows in 1 of 3 locales (hi); what is there is read",
    ]


def test_a_part_that_no_locale_has_is_named_once(tmp_path: Path) -> None:
    root = tmp_path / "cv"
    for number in range(30):
        release(root, f"l{number:02}", f"{HEADER}\n{line('a', f'{number}.mp3')}\n", "train")
    manifest = CommonVoice(str(root), tsv=["train", "dev"]).read()
    assert len(manifest.utterances) == len(manifest.skipped) == 30
    unknown, note = manifest.notes
    assert "'l00'" in unknown
    assert "dev.tsv is missing or has no rows in 30 of 30 locales (l00, l01, " in note
    assert "l19 and others)" in note
    with pytest.raises(LangidError, match=r"no usable row; all 60 .*l00/dev.tsv: no such table"):
        CommonVoice(str(root), tsv=["dev", "test"]).read()


def test_converted_clips_are_found_by_stem_and_said_once(tmp_path: Path) -> None:
    rows = [line("a", f"{number}.mp3") for number in range(4)]
    root = release(tmp_path / "cv", "en", "\n".join([HEADER, *rows]))
    clips = root / "en" / "clips"
    for number, suffix in enumerate(("wav", "flac", "opus")):
        (clips / f"{number}.mp3").rename(clips / f"{number}.{suffix}")
    (clips / "0.flac").touch()
    manifest = CommonVoice(str(root)).read()
    assert [Path(row["path"]).name for row in manifest.utterances] == [
        "0.wav", "1.flac", "2.opus", "3.mp3",
    ]  # fmt: skip
    assert [row["utterance_id"] for row in manifest.utterances] == [
        f"cv/en/{number}" for number in range(4)
    ]
    assert manifest.skipped == []
    assert manifest.notes == [
        f"{root}/en/validated.tsv: clips with another ending than the table says: 1 are .wav,"
        " 1 are .flac, 1 are .opus; 1 are there more than once, and the first of them is read, as"
        " in 0.wav, 0.flac"
    ]


def test_a_row_with_a_nul_is_left_out_by_file_and_row(tmp_path: Path) -> None:
    rows = [line("a", "one.mp3"), line("b\0", "two.mp3"), line("c", "three.mp3", accent="x\0")]
    quoted = [line(r"d\n", "four.mp3", accent='"a \\ b'), line("e", "five.mp3", accent="$'x'")]
    root = release(tmp_path / "cv", "en", "\n".join([HEADER, *rows, *quoted]))
    manifest = CommonVoice(str(root)).read()
    assert [(row["source"].rpartition("/")[2], row["reason"]) for row in manifest.skipped] == [
        ("validated.tsv:3", "speaker holds a NUL character; take it out"),
        ("validated.tsv:4", "accent holds a NUL character; take it out"),
    ]
    # What Common Voice writes is no escape of langid's.
    assert [(row["speaker"], row["accent"]) for row in manifest.utterances] == [
        ("a", ""), (r"d\n", '"a \\ b'), ("e", "$'x'"),
    ]  # fmt: skip


def test_wrong_folders_are_named(tmp_path: Path) -> None:
    root = release(tmp_path / "cv", "en", f"{HEADER}\n{line('a', 'one.mp3')}\n")
    with pytest.raises(LangidError, match=r"no folder for fr, xx in .*; found en"):
        CommonVoice(str(root), ["en", "fr", "xx"]).read()
    with pytest.raises(LangidError, match="nowhere: no such folder"):
        CommonVoice(str(tmp_path / "nowhere")).read()
    with pytest.raises(LangidError, match=f"give its parent: corpus.root={root}"):
        CommonVoice(str(root / "en")).read()
    with pytest.raises(LangidError, match="it holds release folders, give those: cv"):
        CommonVoice(str(tmp_path)).read()
    with pytest.raises(LangidError, match="more than one folder is named cv"):
        CommonVoice([str(root), str(root)])
    with pytest.raises(LangidError, match="must not be empty"):
        CommonVoice(str(root), [])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("\r\n", "the file is empty"),
        (f"{HEADER}\r\n", "a header and no rows"),
        ("path\tsentence\none.mp3\tA\n", "no column client_id; found path, sentence"),
        (f"{HEADER}\n{line('a', 'one.mp3')}\n".replace("\t", ","), "no column client_id, path"),
        (f"{HEADER}\n{line('a', '../../one.mp3')}\n", "no usable row; all 1 .* not in"),
    ],
)
def test_a_table_that_cannot_be_used_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "cv" / "en" / "clips").mkdir(parents=True)
    (tmp_path / "cv" / "en" / "validated.tsv").write_text(text)
    (tmp_path / "one.mp3").touch()
    with pytest.raises(LangidError, match=message) as caught:
        CommonVoice(str(tmp_path / "cv")).read()
    assert str(tmp_path / "cv") in str(caught.value)


def test_a_table_that_is_not_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "cv" / "en" / "clips").mkdir(parents=True)
    (tmp_path / "cv" / "en" / "validated.tsv").write_bytes(b"client_id\tpath\n\xff\xfe\t1\n")
    with pytest.raises(LangidError, match=r"validated.tsv: not a UTF-8 text file"):
        CommonVoice(str(tmp_path / "cv")).read()
