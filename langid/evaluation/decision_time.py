"""How soon a stream can be believed: accuracy by seconds of speech, and time to a decision."""

from typing import Any

import numpy as np

from langid.evaluation.streamed import Streamed, StreamedClip

SECONDS = (0.5, 1.0, 2.0, 3.0, 5.0, 10.0)
THRESHOLDS = np.arange(1, 1001) / 1000
QUARTILES = (0.25, 0.5, 0.75)


def accuracy_by_speech(streamed: Streamed) -> list[dict[str, Any]]:
    """Return the accuracy after so many seconds of speech, with 95 % intervals.

    Each entry has ``seconds``; ``all``, in which a clip with less speech counts with what it has;
    ``clips``, how many have so much; and ``long``, the accuracy of these alone (None where there is
    none).
    """
    said = [streamed.running(clip).argmax(1) for clip in streamed.clips]
    rows = []
    for seconds in SECONDS:
        wanted = round(seconds / streamed.hop_s)
        right = np.array([own[:wanted][-1] for own in said]) == streamed.targets
        long = np.array([len(own) >= wanted for own in said])
        of_long = streamed.share(right, long) if long.any() else None
        row = {"seconds": seconds, "all": streamed.share(right), "clips": int(long.sum())}
        rows.append(row | {"long": of_long})
    return rows


def first_decisions(
    streamed: Streamed, clip: StreamedClip, thresholds: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return for each threshold the frame of a clip's first decision, and its class.

    It falls where the highest running posterior first reaches the threshold, as ``decide_at`` of a
    stream has it, and is not that of the class of other languages; both are -1 where there is no
    such frame, or no speech in the clip.
    """
    running = streamed.running(clip)
    reached = running.max(1) * clip.spoken
    if streamed.unknown is not None:
        reached[running.argmax(1) == streamed.unknown] = 0
    highest = np.maximum.accumulate(reached)
    frames = np.searchsorted(highest, thresholds)
    decided = frames < len(highest)
    labels = running.argmax(1)[np.minimum(frames, len(highest) - 1)]
    return np.where(decided, frames, -1), np.where(decided, labels, -1)


def choose_decide_at(streamed: Streamed, error_rate: float) -> tuple[float | None, dict[str, Any]]:
    """Return the lowest threshold whose decisions are wrong at most so often, or None.

    Thresholds are thousandths. Beside it: ``decided``, the number of clips decided on at it, and
    ``error``, the share of them that is wrong; without a threshold, those of the lowest error.
    """
    labels = np.array([first_decisions(streamed, clip, THRESHOLDS)[1] for clip in streamed.clips])
    decided = (labels >= 0).sum(0)
    wrong = ((labels >= 0) & (labels != streamed.targets[:, None])).sum(0)
    errors = np.where(decided > 0, wrong / np.maximum(decided, 1), np.inf)
    good = np.flatnonzero(errors <= error_rate)
    chosen = good[0] if len(good) else errors.argmin()
    found = {"decided": int(decided[chosen]), "error": float(errors[chosen])}
    return (float(THRESHOLDS[chosen]) if len(good) else None), found


def time_to_decision(streamed: Streamed, threshold: float) -> dict[str, Any]:
    """Return how often, how rightly and how soon a stream decides at a threshold.

    ``decided`` counts clips; ``share`` is theirs of all, ``error`` the share of them that is wrong,
    with 95 % intervals. ``speech_s`` and ``audio_s`` are quartiles over the clips decided on, of
    the speech and of all audio; None where there is no such clip.
    """
    first = [first_decisions(streamed, clip, np.array([threshold])) for clip in streamed.clips]
    frames, labels = np.array(first)[:, :, 0].T
    decided = frames >= 0
    found = {"clips": len(frames), "decided": int(decided.sum()), "share": streamed.share(decided)}
    if not decided.any():
        return found | {"error": None, "speech_s": None, "audio_s": None}
    speech_s = (frames[decided] + 1) * streamed.hop_s
    ends = zip(streamed.clips, frames, strict=True)
    audio_s = [clip.after_s[frame] for clip, frame in ends if frame >= 0]
    return found | {
        "error": streamed.share(labels != streamed.targets, decided),
        "speech_s": np.quantile(speech_s, QUARTILES).tolist(),
        "audio_s": np.quantile(audio_s, QUARTILES).tolist(),
    }
