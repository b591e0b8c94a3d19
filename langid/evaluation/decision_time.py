"""How soon a stream can be believed: accuracy by seconds of speech, and time to a decision."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from langid.evaluation.scoring import share_right
from langid.evaluation.streamed import StreamedClip
from langid.streaming.decision_rule import running_posteriors

SECONDS = (0.5, 1.0, 2.0, 3.0, 5.0, 10.0)
THRESHOLDS = np.arange(1, 1001) / 1000


def accuracy_by_speech(
    clips: Sequence[StreamedClip], targets: np.ndarray, speakers: Sequence[str], hop_s: float
) -> list[dict[str, Any]]:
    """Return the accuracy after so many seconds of speech, with 95 % intervals.

    ``targets (clips,)`` are classes. Each entry has ``seconds``; ``all``, in which a clip with less
    speech counts with what it has; ``clips``, how many have so much; and ``long``, the accuracy of
    these alone (None where there is none).
    """
    right, frames = [], np.array([len(clip.posteriors) for clip in clips])
    for clip, target in zip(clips, targets, strict=True):
        right.append(running_posteriors(clip.posteriors).argmax(1) == target)
    rows = []
    for seconds in SECONDS:
        wanted = round(seconds / hop_s)
        now = np.array([own[min(wanted, len(own)) - 1] for own in right])
        long = np.flatnonzero(frames >= wanted)
        of_long = None
        if len(long):
            of_long = share_right(
                targets[long], [speakers[number] for number in long.tolist()], now[long]
            )
        rows.append(
            {
                "seconds": seconds,
                "all": share_right(targets, speakers, now),
                "clips": len(long),
                "long": of_long,
            }
        )
    return rows


def first_decisions(clip: StreamedClip, thresholds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return for each threshold the frame of the first decision, and its class.

    It falls where the highest running posterior first reaches the threshold, as ``decide_at`` of a
    stream has it; both are -1 where it never does.
    """
    running = running_posteriors(clip.posteriors)
    highest = np.maximum.accumulate(running.max(1))
    frames = np.searchsorted(highest, thresholds)
    decided = frames < len(highest)
    labels = running.argmax(1)[np.minimum(frames, len(highest) - 1)]
    return np.where(decided, frames, -1), np.where(decided, labels, -1)


def choose_decide_at(
    clips: Sequence[StreamedClip], targets: np.ndarray, error_rate: float
) -> tuple[float | None, dict[str, Any]]:
    """Return the lowest threshold whose decisions are wrong at most so often, or None.

    Thresholds are thousandths. Beside it: ``decided``, the number of clips decided on at it, and
    ``error``, the share of them that is wrong; without a threshold, those of the lowest error.
    """
    labels = np.array([first_decisions(clip, THRESHOLDS)[1] for clip in clips])
    decided = (labels >= 0).sum(0)
    wrong = ((labels >= 0) & (labels != targets[:, None])).sum(0)
    errors = np.where(decided > 0, wrong / np.maximum(decided, 1), np.inf)
    good = np.flatnonzero(errors <= error_rate)
    chosen = good[0] if len(good) else errors.argmin()
    found = {"decided": int(decided[chosen]), "error": float(errors[chosen])}
    return (float(THRESHOLDS[chosen]) if len(good) else None), found


def time_to_decision(
    clips: Sequence[StreamedClip],
    targets: np.ndarray,
    speakers: Sequence[str],
    threshold: float,
    hop_s: float,
) -> dict[str, Any]:
    """Return how often, how rightly and how soon a stream decides at a threshold.

    ``decided`` counts clips; ``share`` is theirs of all, ``error`` the share of them that is wrong,
    with 95 % intervals. ``speech_s`` and ``audio_s`` are quartiles over the clips decided on, of
    the speech and of all audio; None where there is no such clip.
    """
    first = [first_decisions(clip, np.array([threshold])) for clip in clips]
    frames, labels = np.array(first)[:, :, 0].T
    decided = np.flatnonzero(frames >= 0)
    found: dict[str, Any] = {
        "clips": len(clips),
        "decided": len(decided),
        "share": share_right(targets, speakers, frames >= 0),
    }
    if not len(decided):
        return found | {"error": None, "speech_s": None, "audio_s": None}
    of_decided = [speakers[number] for number in decided.tolist()]
    wrong = labels[decided] != targets[decided]
    audio_s = [clips[number].after_s[frames[number]] for number in decided.tolist()]
    return found | {
        "error": share_right(targets[decided], of_decided, wrong),
        "speech_s": _quartiles((frames[decided] + 1) * hop_s),
        "audio_s": _quartiles(np.array(audio_s)),
    }


def _quartiles(values: np.ndarray) -> list[float]:
    return [float(value) for value in np.quantile(values, [0.25, 0.5, 0.75])]
