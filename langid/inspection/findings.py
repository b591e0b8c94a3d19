"""What of a store would spoil a result, in words, with the clips that it is about."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import pandas as pd

from langid.evaluation.report import counted
from langid.terminal import interval

SILENT_DB = -50.0  # loudness of speech
FLAT = 0.002  # share of samples at the peak: ten times that of one unclipped clip in a hundred
END_DB = 0.0  # of the last 50 ms against the speech
LARGEST_SHARE = 0.2  # of a class's clips by one speaker
SHARED, ELSEWHERE = 0.95, 0.5  # shares of a class and of the others where clips are alike
BANDWIDTH_HZ = 400.0  # either side of a class's median
LISTED = 100  # clips; the count says how many there are
PARTS_SHOWN = 3
MUCH = 0.1  # of the way from chance to 1
VERDICTS = {True: "gives the class away", False: "not clear of chance"}
SEES = {
    "file and recording": "codec, rate, bandwidth, loudness, noise floor and leading silence",
    "recording": "bandwidth, loudness, noise floor and leading silence",
    "quietest frames": "the quietest 15 % of each clip's frames",
}


@dataclass(frozen=True)
class Finding:
    """What is wrong, in words; ``count`` clips or pairs, of which ``clips`` names the first."""

    kind: str
    told: str
    count: int = 0
    clips: list[Any] = field(default_factory=list)


def findings_of(
    table: pd.DataFrame,
    classes: Sequence[str],
    pairs: Sequence[dict[str, Any]],
    shortcuts: dict[str, Any],
    max_duration_s: float | None,
) -> list[dict[str, Any]]:
    """Return what would spoil a result as plain data, the gravest first."""
    found = [
        *_shortcuts(shortcuts),
        *_alike(table, classes),
        *_duplicates(pairs),
        *_speakers(table, classes),
        *_damage(table, max_duration_s),
    ]
    return [asdict(finding) for finding in found]


def _shortcuts(shortcuts: dict[str, Any]) -> Iterator[Finding]:
    for name, test in shortcuts["tests"].items():
        if not test["gives_away"]:
            continue
        figure, most = test["balanced_accuracy"], list(test["alone"].items())[:PARTS_SHOWN]
        named = ", ".join(f"{part} ({alone['value']:.3f} alone)" for part, alone in most)
        best, recall = max(test["recall"].items(), key=lambda of: of[1]["value"])
        much = test["won"] > MUCH or (recall["low"] or 0) > max(0.5, shortcuts["chance"])
        yield Finding(
            "shortcut",
            f"A network can win {'' if much else 'a little '}without hearing language: what sees"
            f" only {SEES[name]} has {figure['value']:.3f} balanced accuracy ({interval(figure)})"
            f" on unheard speakers, where chance is {shortcuts['chance']:.3f}; that is"
            f" {test['won']:.0%} of the way from chance to 1. Most of it is given away by {named};"
            f" of {best} {recall['value']:.0%} are told.",
        )


def _alike(table: pd.DataFrame, classes: Sequence[str]) -> Iterator[Finding]:
    """Yield what all clips of a class have in common, and hardly any of the others."""
    for name in classes:
        own, others = table[table["class"] == name], table[table["class"] != name]
        if not len(own) or not len(others):
            continue
        for column, told in (("codec", "codec {}"), ("sample_rate", "sample rate {} Hz")):
            value = own[column].mode()[0]
            shares = [float((rows[column] == value).mean()) for rows in (own, others)]
            if value and shares[0] >= SHARED and shares[1] < ELSEWHERE:
                yield _one_kind(name, told.format(value), shares)
        middle = own["bandwidth_hz"].median()
        near = [(rows["bandwidth_hz"] - middle).abs() <= BANDWIDTH_HZ for rows in (own, others)]
        shares = [float(of.mean()) for of in near]
        if shares[0] >= SHARED and shares[1] < ELSEWHERE:
            yield _one_kind(name, f"bandwidth about {middle / 1000:.1f} kHz", shares)


def _one_kind(name: str, what: str, shares: Sequence[float]) -> Finding:
    told = f"{shares[0]:.0%} of its clips have the {what}, and {shares[1]:.0%} of all others"
    return Finding("alike", f"{name}: {told}, which tells it without any speech.")


def _duplicates(pairs: Sequence[dict[str, Any]]) -> Iterator[Finding]:
    kinds = {
        "of two classes: one label is wrong": [pair for pair in pairs if "class" in pair["across"]],
        "whose speakers are not the same, or unknown, so that both a training and a test part can"
        " hold them": [
            pair
            for pair in pairs
            if "class" not in pair["across"] and {"speaker", "part"} & set(pair["across"])
        ],
        "of one speaker, which count twice": [pair for pair in pairs if not pair["across"]],
    }
    for told, own in kinds.items():
        if own:
            exact = sum(pair["exact"] for pair in own)
            yield Finding(
                "duplicates",
                f"{counted(len(own), 'pair')} of clips with the same sound ({exact} to the sample)"
                f" {told}.",
                len(own),
                [pair["clips"] for pair in own[:LISTED]],
            )


def _speakers(table: pd.DataFrame, classes: Sequence[str]) -> Iterator[Finding]:
    for name in classes:
        own = table[table["class"] == name]
        clips = own["speaker"][own["speaker"] != ""].value_counts()
        if len(clips) and clips.iloc[0] > LARGEST_SHARE * len(own):
            ids = own["utterance_id"][own["speaker"] == clips.index[0]]
            yield Finding(
                "speaker",
                f"{name}: one of {counted(len(clips), 'speaker')} has {clips.iloc[0]} of"
                f" {counted(len(own), 'clip')}.",
                len(ids),
                ids.tolist()[:LISTED],
            )


def _damage(table: pd.DataFrame, max_duration_s: float | None) -> Iterator[Finding]:
    silent = (table["speech_frames"] == 0) | (table["loudness_db"] < SILENT_DB)
    whole = table["duration_s"].astype(float) < (max_duration_s or float("inf")) - 0.1
    kinds = {
        "silent": (silent, f"all but silent: no speech, or below {SILENT_DB:g} dB"),
        "clipped": (table["flat_share"] > FLAT, "clipped: many samples lie at the peak"),
        "truncated": (
            table["cut"] | (~silent & whole & (table["end_db"] > END_DB)),
            "cut: the end is as loud as the speech, or comes before the header says",
        ),
        "opposite phase": (
            table["opposite"],
            "opposite phase: channels cancel where they are mixed",
        ),
    }
    for kind, (which, told) in kinds.items():
        if which.any():
            of = ", ".join(
                f"{name} {count}" for name, count in table["class"][which].value_counts().items()
            )
            ids = table["utterance_id"][which].tolist()
            yield Finding(
                kind, f"{counted(len(ids), 'clip')}, {told} ({of}).", len(ids), ids[:LISTED]
            )
