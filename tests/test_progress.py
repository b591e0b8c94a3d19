import pytest

from langid.progress import Rate, progress


def test_rate_and_remaining_time_are_shown() -> None:
    bar = progress("preparing", "clips")
    now = [0.0]
    bar.get_time = lambda: now[0]
    bar.add_task("preparing", total=10_000)
    (task,) = bar.tasks
    assert Rate("clips").render(task).plain == ""  # nothing is known yet
    for _ in range(4):
        now[0] += 1.0
        bar.advance(task.id, 1500)
    cells = [column.render(task) for column in bar.columns]  # type: ignore[union-attr]
    shown = [getattr(cell, "plain", "") for cell in cells]
    assert shown[0] == "preparing"
    assert shown[2] == " 6000/10000"
    assert shown[3].endswith("clips/s") and shown[3].startswith(("1,5", "2,0"))
    assert shown[4] in ("0:00:02", "0:00:03")


def test_what_is_printed_to_a_file_stays_out_of_the_bar(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")  # of rich: there is a terminal
    with progress("hearing", "files"):
        print("a line")
    captured = capsys.readouterr()
    assert captured.out == "a line\n"
    assert "a line" not in captured.err
