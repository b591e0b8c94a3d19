"""Manifests of lhotse (cuts, or supervisions with recordings) and of NeMo, as JSON lines."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from langid.corpora.tables import JsonRow, Row, json_rows, lacking, text_of
from langid.errors import LangidError

SAME_S = 1e-3
SECONDS = "expected seconds, and a duration above 0"


def nemo_rows(path: Path, label: str) -> Iterator[Row]:
    """Yield the utterances of a manifest of NeMo; raises LangidError for what cannot be read."""
    for source, found, reason in json_rows(path):
        cells = {name: text_of(found.get(name)) for name in ("speaker", "gender")}
        cells |= {
            "path": text_of(found.get("audio_filepath")),
            "language": text_of(found.get(label)),
        }
        reason = reason or lacking(found, "audio_filepath", label)
        begin, duration = found.get("offset"), found.get("duration")
        if not reason and begin is not None:
            if _numbers(begin) and _above_0(duration):
                cells |= {"start_s": _seconds(begin), "end_s": _seconds(begin + duration)}
            else:
                reason = f"offset={begin}, duration={duration}: {SECONDS}"
        elif _above_0(duration):
            cells["duration_s"] = f"{duration:.3f}"
        yield Row(source, cells, reason)


def lhotse_rows(path: Path, label: str) -> Iterator[Row]:
    """Yield the supervisions of cuts, or those of a file whose recordings lie beside it.

    The name of that file is that of the other with ``recordings`` in place of ``supervisions``.
    Raises LangidError for what cannot be read.
    """
    recordings = None
    for row in json_rows(path):
        if row.reason:
            yield Row(row.source, {}, row.reason)
            continue
        if recordings is None and "recording_id" in row.cells:
            recordings = _recordings(path)
        try:
            if recordings is None:
                yield from _of_cut(row, label)
            else:
                yield _supervision(row.source, row.cells, recordings, 0.0, label)
        except (AttributeError, IndexError, TypeError) as error:
            yield Row(row.source, {}, f"not as lhotse writes it ({error})")


def _recordings(supervisions: Path) -> dict[str, dict[str, Any]]:
    path = supervisions.with_name(supervisions.name.replace("supervisions", "recordings"))
    if path == supervisions or not path.is_file():
        raise LangidError(
            f"{supervisions}: supervisions, whose recordings are looked for beside it, in"
            f" {path.name if path != supervisions else '...recordings...'}, which is not there;"
            " give a file of cuts, or name both as lhotse does"
        )
    return {str(row.cells.get("id")): row.cells for row in json_rows(path)}


def _of_cut(row: JsonRow, label: str) -> Iterator[Row]:
    cut = row.cells
    kind, recording = cut.get("type", "MonoCut"), cut.get("recording")
    if kind not in ("MonoCut", "MultiCut") or not isinstance(recording, dict):
        yield Row(row.source, {}, f"a {kind} without a recording; expected a cut of one recording")
        return
    if not cut.get("supervisions"):
        yield Row(row.source, {}, "a cut without supervisions, which has no label")
    for supervision in cut.get("supervisions") or ():
        held = {str(supervision.get("recording_id")): recording}
        yield _supervision(row.source, supervision, held, cut.get("start", 0.0), label)


def _supervision(
    source: str,
    found: dict[str, Any],
    recordings: dict[str, dict[str, Any]],
    from_s: Any,
    label: str,
) -> Row:
    """Return the row of a supervision, whose start is counted from a second of its recording."""
    name = str(found.get("recording_id"))
    recording = recordings.get(name, {})
    sources = recording.get("sources") or [{}]
    cells = {name: text_of(found.get(name)) for name in ("speaker", "gender")}
    cells |= {"utterance_id": text_of(found.get("id")), "path": text_of(sources[0].get("source"))}
    cells |= {"language": text_of(found.get(label)), "recording": name}
    begin, duration = found.get("start"), found.get("duration")
    channels = [channel for each in sources for channel in each.get("channels", [])]
    kinds = {each.get("type") for each in sources}
    if not recording:
        return Row(source, cells, f"the recording {name} is not among the recordings")
    if lacks := lacking(found, "recording_id", label):
        return Row(source, cells, lacks)
    if kinds != {"file"} or len(sources) > 1:
        told = ", ".join(map(str, kinds))
        return Row(source, cells, f"{len(sources)} sources ({told}); expected one that is a file")
    if len(channels) > 1 and found.get("channel") not in (channels, None):
        reason = (
            f"channel {found.get('channel')} of {len(channels)}; give channels files of their own"
        )
        return Row(source, cells, reason)
    if not (_numbers(from_s, begin) and _above_0(duration)):
        return Row(source, cells, f"start={begin}, duration={duration}: {SECONDS}")
    start, whole = from_s + begin, recording.get("duration", math.inf)
    if start > 0 or not abs(duration - whole) < SAME_S:
        cells |= {"start_s": _seconds(start), "end_s": _seconds(start + duration)}
    return Row(source, cells | {"duration_s": f"{duration:.3f}"})


def _numbers(*values: Any) -> bool:
    return all(isinstance(value, int | float) for value in values)


def _above_0(value: Any) -> bool:
    return _numbers(value) and value > 0


def _seconds(value: float) -> str:
    return repr(round(value, 6))
