import shlex
import socket

import pytest

from langid.commands.configuration import options
from langid.commands.main import main
from langid.commands.override_check import check_overrides
from langid.corpora.sources import SOURCES


def test_every_corpus_is_explained_and_nothing_is_fetched(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "socket", lambda *_, **__: pytest.fail("it opened a connection"))
    assert sorted(SOURCES) == options("prepare", "corpus")
    assert main(["download"]) == 0
    said = capsys.readouterr().out
    for name, source in SOURCES.items():
        assert f"{name}: " in said and source.licence in said and source.steps[-1] in said
    assert said.endswith("Nothing was fetched.\n")
    assert main(["download", "corpus=fleurs"]) == 0
    said = capsys.readouterr().out
    assert "CC BY 4.0" in said and "voxlingua107" not in said


def test_a_corpus_that_is_not_known_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["download", "corpus=timit"]) == 2
    assert "corpus=timit: accepted are common_voice, fleurs, vox" in capsys.readouterr().err


@pytest.mark.parametrize("name", SOURCES)
def test_the_next_command_can_be_typed(name: str) -> None:
    for line in SOURCES[name].steps:
        if line.startswith("langid prepare "):
            check_overrides("prepare", shlex.split(line)[2:])
    assert line.startswith("langid prepare ")
