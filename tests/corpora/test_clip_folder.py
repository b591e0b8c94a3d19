from pathlib import Path

from langid.corpora.clip_folder import ClipFolder, converted_note


def test_the_very_file_first_then_its_stem_in_a_fixed_order(tmp_path: Path) -> None:
    names = ("a.mp3", "a.wav", "b.opus", "b.FLAC", "b.wav", "c.aiff", "c.flac", "d.txt", "._e.wav")
    for name in (*names, "v1.2", "v1.2.wav", "f.wav"):
        (tmp_path / name).touch()
    clips = ClipFolder(tmp_path)
    assert clips.find("a.mp3") == clips.find("a") == ["a.mp3"]
    assert clips.find("b.mp3") == clips.find("b") == ["b.wav", "b.FLAC", "b.opus"]
    assert clips.find("c.mp3") == ["c.flac", "c.aiff"]
    assert clips.find("v1.2.mp3") == ["v1.2.wav"]
    assert clips.find("f.mp3") == ["f.wav"]
    for absent in ("d.mp3", "e.mp3", "._e.mp3", "", ".mp3", "../b.mp3", f"{tmp_path}/b.mp3"):
        assert clips.find(absent) == [], absent
    assert ClipFolder(tmp_path / "nowhere").find("a.mp3") == []


def test_what_is_said_of_converted_clips() -> None:
    note = converted_note([["a.wav"], ["b.wav", "b.flac"], ["c.ogg"]])
    assert note == (
        "clips with another ending than the table says: 2 are .wav, 1 are .ogg; 1 are there more"
        " than once, and the first of them is read, as in b.wav, b.flac"
    )
