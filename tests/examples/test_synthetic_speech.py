"""The synthetic corpus: its plan, its sound, and what a reader finds on disk."""

import csv
import importlib.util
import sys
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from langid.errors import LangidError

from ..conftest import ROOT

sys.path.append(str(ROOT / "examples"))
import synthetic_speech as synthetic

CLIPS = 6


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("espeakng_loader")
    output = tmp_path_factory.mktemp("synthetic") / "new" / "corpus"
    synthetic.synthesise(output, CLIPS, seed=3, workers=2)
    return output


def rows_of(table: Path) -> list[dict[str, str]]:
    with table.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


@pytest.mark.parametrize("locale", synthetic.VOICES)
def test_layout_and_columns_are_common_voices(corpus: Path, locale: str) -> None:
    tables = {part: rows_of(corpus / locale / f"{part}.tsv") for part in synthetic.PARTS}
    assert [len(rows) for rows in tables.values()] == [4, 1, 1]
    rows = [row for rows in tables.values() for row in rows]
    assert " ".join(rows[0]) == (
        "client_id path sentence up_votes down_votes age gender accents locale segment"
    )
    assert {row["locale"] for row in rows} == {locale}
    clips = [path.name for path in (corpus / locale / "clips").iterdir()]
    assert sorted(clips) == sorted(row["path"] for row in rows)
    assert [path.name for path in corpus.parent.iterdir()] == ["corpus"]


def test_sound_is_speech_of_a_sane_length_and_level(corpus: Path) -> None:
    for path in corpus.glob("*/clips/*.wav"):
        info = soundfile.info(path)
        assert (info.samplerate, info.channels, info.subtype) == (16_000, 1, "PCM_16")
        samples, _ = soundfile.read(path)
        assert 1.5 < info.duration < 6
        assert 0.09 < np.abs(samples).max() < 0.9
        speech, silence = samples[4_800:-8_000], samples[:3_000]
        assert np.std(speech) > 3 * np.std(silence) > 0


def test_the_same_seed_gives_the_same_bytes(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)  # not for this process to import
    synthetic.synthesise(tmp_path, CLIPS, seed=3, workers=1)
    written = [path for path in corpus.rglob("*") if path.is_file()]
    assert len(written) == 3 * (CLIPS + 3)
    for path in written:
        assert path.read_bytes() == (tmp_path / path.relative_to(corpus)).read_bytes()


def test_breath_is_the_same_noise_in_every_process(tmp_path: Path) -> None:
    pytest.importorskip("espeakng_loader")
    clip = replace(synthetic.plan(5, 0)[0], voice="en-us+f5")
    sounds = set()
    for name in ("first", "second"):
        (tmp_path / name / "en" / "clips").mkdir(parents=True)
        synthetic._render_elsewhere([clip], tmp_path / name)
        sounds.add((tmp_path / name / "en" / "clips" / clip.path).read_bytes())
        time.sleep(1.1)  # eSpeak would seed the noise with the time in seconds
    assert len(sounds) == 1


def test_mandarin_is_spoken_by_the_syllable(tmp_path: Path) -> None:
    pytest.importorskip("espeakng_loader")
    (tmp_path / "zh-CN" / "clips").mkdir(parents=True)
    clip = replace(synthetic.plan(5, 0)[-1], voice="cmn+m3", rate=160, sentence="今天早上下雨。")
    clips = [clip, replace(clip, path="twice.wav", sentence="今天早上下雨今天早上下雨。")]
    synthetic._render_elsewhere(clips, tmp_path)
    once_s, twice_s = (
        soundfile.info(tmp_path / "zh-CN" / "clips" / clip.path).duration for clip in clips
    )
    # Six syllables; "Chinese letter", which eSpeak says for an unknown one, takes 0.8 s each.
    assert 0.15 < (twice_s - once_s) / 6 < 0.4


@pytest.mark.parametrize("count", [5, 120, 600])
def test_parts_share_no_variant_and_no_sentence(count: int) -> None:
    clips = synthetic.plan(count, seed=1)
    variants, sentences, voices = defaultdict(set), defaultdict(set), defaultdict(set)
    for clip in clips:
        variants[clip.part].add(clip.voice.partition("+")[2])
        sentences[clip.part].add(clip.sentence)
        voices[clip.part].add(clip.row().partition("\t")[0])
    for found in (variants, sentences, voices):
        assert len(set.union(*found.values())) == sum(map(len, found.values()))
    sizes = [sum(clip.part == part for clip in clips) for part in synthetic.PARTS]
    assert sizes == [3 * size for size in (count - 2 * (count // 5), count // 5, count // 5)]


def test_every_language_has_24_8_and_8_sentences_and_the_same_variants() -> None:
    clips = synthetic.plan(120, seed=0)
    by_part = defaultdict(set)
    variants = defaultdict(set)
    for clip in clips:
        by_part[clip.locale, clip.part].add(clip.sentence)
        variants[clip.locale].add(clip.voice.partition("+")[2])
    for locale in synthetic.VOICES:
        assert [len(by_part[locale, part]) for part in synthetic.PARTS] == [24, 8, 8]
        assert variants[locale] == variants["en"]
    accents = {clip.accents for clip in clips if clip.locale == "en" and clip.part == "test"}
    assert accents == {"United States English", "England English"}


def test_degrading_surrounds_speech_with_a_noise_floor() -> None:
    rng = np.random.default_rng(0)
    tone = np.sin(np.arange(16_000) * 0.3)
    for _ in range(20):
        samples = synthetic.degrade(tone, rng)
        assert 1.4 * 16_000 <= len(samples) <= 2 * 16_000
        assert 0.09 < np.abs(samples).max() < 0.9
        quiet, loud = samples[:3_000], samples[8_000:16_000]
        assert 10 < 20 * np.log10(np.std(loud) / np.std(quiet)) < 45


@pytest.mark.parametrize("voice", ["martian+f2", "en-us+nobody", "en-us"])
def test_an_unknown_voice_is_refused(tmp_path: Path, voice: str) -> None:
    pytest.importorskip("espeakng_loader")
    clip = replace(synthetic.plan(5, 0)[0], voice=voice)
    with pytest.raises(LangidError, match=f"no voice '{voice}'".replace("+", r"\+")):
        synthetic._render_elsewhere([clip], tmp_path)


def test_data_at_a_long_path_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loader = pytest.importorskip("espeakng_loader")
    folder = tmp_path / ("long" * 50)
    folder.mkdir()
    (folder / "data").symlink_to(loader.get_data_path())
    stand_in(
        tmp_path,
        f"def get_library_path(): return {loader.get_library_path()!r}\n"
        f"def get_data_path(): return {str(folder / 'data')!r}\n",
        monkeypatch,
    )
    (tmp_path / "en" / "clips").mkdir(parents=True)
    clip = synthetic.plan(5, 0)[0]
    synthetic._render_elsewhere([clip], tmp_path)
    assert (tmp_path / "en" / "clips" / clip.path).is_file()


def stand_in(folder: Path, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "espeakng_loader.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(folder)


def test_without_espeak_the_user_learns_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, "raise ImportError", monkeypatch)
    with pytest.raises(LangidError, match=r"^the demo corpus needs .*langid-speech\[demo\]'$"):
        synthetic.synthesise(tmp_path / "corpus", CLIPS)
    assert [path.name for path in tmp_path.iterdir()] == ["espeakng_loader.py"]


def test_what_exists_is_never_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    precious = tmp_path / "precious"
    precious.write_text("mine")
    for output in (tmp_path, precious):
        with pytest.raises(LangidError, match="empty folder"):
            synthetic.synthesise(output)
    monkeypatch.setattr(sys, "argv", ["synthetic", str(tmp_path)])
    assert synthetic.main() == 2
    assert "empty folder" in capsys.readouterr().err
    assert precious.read_text() == "mine"


@pytest.mark.parametrize("wrong", [{"clips_per_language": 4}, {"seed": -1}, {"workers": 0}])
def test_senseless_numbers_are_refused(tmp_path: Path, wrong: dict[str, int]) -> None:
    with pytest.raises(LangidError, match=r"found .* or more"):
        synthetic.synthesise(tmp_path / "corpus", **wrong)


def test_variants_exist() -> None:
    spec = importlib.util.find_spec("espeakng_loader")
    assert spec is not None and spec.origin is not None, "install the extra demo: eSpeak NG"
    folder = Path(spec.origin).parent / "espeak-ng-data" / "voices" / "!v"
    names = {path.name for path in folder.iterdir()}
    assert set(" ".join(synthetic.VARIANTS.values()).split()) <= names
