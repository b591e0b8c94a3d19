"""Printed commands can be pasted."""

import re
import shlex
from pathlib import Path

import pytest
import soundfile

from langid.commands.main import main


def test_a_store_with_brackets_and_blanks_and_its_next_line(
    real_clips: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for number, clip in enumerate(real_clips[:10]):
        folder = tmp_path / "2024[v2]" / ("[bold]de", "en")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        samples, rate = soundfile.read(clip)
        soundfile.write(folder / f"{number}.wav", samples, rate)
    given = ["corpus=folders", 'corpus.root="2024[v2]"', 'store="out[/x]/s t.h5"', "workers=1"]
    assert main(["prepare", *given]) == 0
    told = capsys.readouterr().out
    assert "[bold]de" in told
    assert f"store     {tmp_path}/out[/x]/s t.h5" in told.splitlines()
    (line,) = re.findall("^next +langid (.*)$", told, re.MULTILINE)
    tiny = ["model.network.units=4", "trainer.max_epochs=1", "trainer.accelerator=cpu"]
    tiny += ["split=recording", "split.fractions=[0.6,0.2,0.2]", 'output="run [1]"']
    assert main([*shlex.split(line), *tiny]) == 0
    (line,) = re.findall("^next +langid (.*)$", capsys.readouterr().out, re.MULTILINE)
    assert main(shlex.split(line)) == 0
    assert (tmp_path / "run [1]" / "test" / "report.json").is_file()
