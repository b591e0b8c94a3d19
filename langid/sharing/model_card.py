"""The model card of an identifier: Markdown with the metadata of the Hugging Face hub on top.

Everything in it is read from the checkpoint and from a report of ``langid evaluate``, and the same
two give the same text.
"""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from langid.atomic_file import write_text
from langid.corpora.languages import code_of
from langid.corpora.tasks import left_out_line
from langid.export.streaming_module import LICENCE
from langid.networks.network import StreamingNetwork
from langid.sharing.markdown import bullets, code, escaped, table
from langid.training.identifier import LanguageIdentifier
from langid.training.weights_digest import frozen_encoder, weights_sha256

LICENCE_LINE = "# license: add yours; what was learnt is under the terms of the speech, see below\n"
SHOWN = 10  # classes that a sentence names
DESCRIBED = (
    "seed", "features", "detector", "silence", "split", "data", "balance", "augment", "waveform",
    "init", "teacher", "model", "loss", "select", "optimizer", "scheduler",
)  # fmt: skip
NOT_MEASURED = (
    "Nothing was measured.",
    "`langid evaluate checkpoint=BEST.ckpt store=STORE.h5 output=DIR` measures it on speakers that"
    " were not heard in training; the figures stand here where the command that writes this card is"
    " given `report=DIR/report.json`.",
)
WEIGHTS = re.compile(r"^SHA-256 of the weights: `(\w+)`", re.MULTILINE)
MARK = "\n<!-- langid: as it was written, its SHA-256 is {} -->\n"


def model_card(
    identifier: LanguageIdentifier,
    name: str,
    run: Sequence[str],
    report: Path | None = None,
) -> str:
    """Return the card of an identifier that is called ``name`` and run by the lines ``run``.

    ``report`` is that of ``langid evaluate``; without it the card says that nothing was measured,
    and by which command it is. Raises LangidError for a report that is not of this checkpoint.
    """
    figures, worst = [*NOT_MEASURED], [NOT_MEASURED[0]]
    results: list[dict[str, Any]] = []
    if report is not None:
        from langid.sharing.measured import measured  # which needs a while

        found = measured(report, identifier)
        figures, worst, results = found.figures, found.worst, found.results
    sections = {
        "Use": _use(identifier),
        "What it must not be used for": [bullets(_not_for(identifier))],
        "Training data": _training_data(identifier),
        "Figures": [*figures, _calibration(identifier)],
        "Worst slices": worst,
        "How to run": [code(run)],
        "What it was made of": _made_of(identifier),
    }
    parts = [f"# {escaped(name)}"]
    for title, paragraphs in sections.items():
        parts += [f"## {title}", *paragraphs]
    return f"---\n{LICENCE_LINE}{_metadata(identifier, name, results)}---\n\n" + (
        "\n\n".join(parts) + "\n"
    )


def card_of(output: Path) -> Path:
    """Return where the card of an exported file lies: beside it, by its name."""
    return output.with_name(f"{output.stem}_card.md")


def write_card(path: Path, text: str) -> str:
    """Write a card; return why the one that is there is kept instead, or nothing.

    That is one that people changed and, where ``text`` has no figures, one with figures of the same
    weights.
    """
    if path.exists():
        if not _is_as_written(path):
            return "is not as langid wrote it, and is kept; delete it to have it written again"
        before = path.read_text(encoding="utf-8")
        same = WEIGHTS.findall(before) == WEIGHTS.findall(text)
        if same and NOT_MEASURED[0] in text and NOT_MEASURED[0] not in before:
            return "has figures of these weights, and is kept; report=PATH writes it again"
    write_text(path, text + MARK.format(hashlib.sha256(text.encode()).hexdigest()), "output")
    return ""


def _is_as_written(path: Path) -> bool:
    content = path.read_bytes()
    mark = re.escape(MARK).replace(r"\{\}", "([0-9a-f]{64})").encode() + rb"\Z"
    found = re.search(mark, content)
    if found is None:
        return False
    return hashlib.sha256(content[: found.start()]).hexdigest().encode() == found[1]


def _metadata(identifier: LanguageIdentifier, name: str, results: list[dict[str, Any]]) -> str:
    column = identifier.described.build_task().column
    told: dict[str, Any] = {
        "library_name": "langid",
        "pipeline_tag": "audio-classification",
        "tags": ["langid", "speech", f"{column}-identification"],
    }
    codes = [code_of(one) for one in identifier.classes] if column == "language" else []
    if known := [one for one in codes if one]:
        told["language"] = known
    if results:
        told["model-index"] = [{"name": name, "results": results}]
    return str(yaml.safe_dump(told, sort_keys=False, allow_unicode=True, width=10**6))


def _classes(identifier: LanguageIdentifier) -> str:
    names = [escaped(name) for name in identifier.classes]
    more = f" and {len(names) - SHOWN} more, below" if len(names) > SHOWN else ""
    return f"{', '.join(names[:SHOWN])}{more}"


def _use(identifier: LanguageIdentifier) -> list[str]:
    front_end, network = identifier.front_end, identifier.network
    streams = isinstance(network, StreamingNetwork) and not front_end.obstacles
    hop_ms = 1000 * front_end.hop_samples / front_end.sample_rate
    heard = f"as a stream, with an answer every {hop_ms:g} ms" if streams else "whole utterances"
    learnt = sum(one.numel() for one in network.parameters())
    told = (
        f"It tells of speech which {identifier.described.task['column']} it is of:"
        f" {_classes(identifier)}. It hears mono sound at {front_end.sample_rate} Hz, {heard},"
        f" and gives a posterior of each class. The network, {type(network).__name__}, has"
        f" {learnt:,} parameters."
    )
    if packages := identifier.described.packages:
        told += f" Its classes are of {escaped(', '.join(packages))} too, whose code then runs."
    features = identifier.described.without_folders().features
    if "encoder" not in features:
        return [told]
    frozen = bool(frozen_encoder(identifier))
    place = "not among those of the checkpoint" if frozen else "changed, in the checkpoint"
    return [
        told,
        f"It goes by the hidden states of the encoder {escaped(features['encoder'])} (revision"
        f" {escaped(features['revision'])}, SHA-256 `{features['sha256']}`), which is under its own"
        f" licence and whose weights are {place}.",
    ]


def _not_for(identifier: LanguageIdentifier) -> list[str]:
    column = identifier.described.build_task().column
    return [
        f"Speech of anything but these {len(identifier.classes)} classes, music or noise: it"
        " answers with one of them whatever it hears, unless `unknown_below` is set.",
        f"Decisions about people, of origin, asylum, residence, work or credit, say: which {column}"
        " somebody's speech is taken for is a guess and proves nothing about them.",
        "Finding out who a speaker is, and listening to people who have not agreed to it.",
        "Other microphones, codecs, accents and ways of speaking than those of its training, before"
        " it has been measured on them.",
    ]


def _training_data(identifier: LanguageIdentifier) -> list[str]:
    described = identifier.described
    summary, column = described.split_summary, described.build_task().column
    parts, minutes = summary.get("parts", {}).get("train", {}), summary.get("minutes", {})
    rows = []
    for name in identifier.classes:
        of = parts.get(name, {})
        counts = [of.get(key, "not known") for key in ("clips", "speakers", "unknown_speakers")]
        rows.append([name, *counts, minutes.get(name, "not known")])
    head = (column, "clips", "speakers", "clips of unknown speakers", "minutes")
    told = [table(head, rows)]
    if shared := summary.get("shared"):
        told.append(
            f"With validation and test it shares {shared['speakers']} known speakers and"
            f" {shared['utterances']} utterances; of {shared['unknown_speakers']} clips held out"
            " nobody knows who speaks."
        )
    if described.left_out and (line := left_out_line(column, described.left_out)):
        told.append(f"Of the whole store {escaped(line)}.")
    return [*told, f"Fingerprint of the store: `{described.fingerprint}`.", f"{LICENCE}."]


def _calibration(identifier: LanguageIdentifier) -> str:
    scaling = identifier.calibration
    if scaling is None:
        return "Posteriors are those of the training, not calibrated; `langid calibrate` does that."
    bias = ", and a bias of each class" if scaling.bias else ""
    fitted = f", fitted on {escaped(scaling.validation)}" if scaling.validation else ""
    return f"Posteriors are calibrated: a temperature of {scaling.temperature:.4g}{bias}{fitted}."


def _made_of(identifier: LanguageIdentifier) -> list[str]:
    described = identifier.described.without_folders()
    plain = {name: getattr(described, name) for name in DESCRIBED}
    network = described.model.get("network", {})
    if "architecture" in network:  # that of an encoder, which is long
        short = {key: value for key, value in network.items() if key != "architecture"}
        plain["model"] = described.model | {"network": short}
    lines = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True).splitlines()
    versions = ", ".join(f"{name} {number}" for name, number in described.versions.items())
    return [
        f"Trained with {escaped(versions)}.",
        f"SHA-256 of the weights: `{weights_sha256(identifier)}`.",
        code(lines),
    ]
