"""A folder to give to others, as the hub takes it: weights, configuration, ONNX file, card."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from langid.atomic_file import new_folder
from langid.errors import LangidError
from langid.export.form import INSTALL, Form
from langid.export.parity import speech_to_check
from langid.sharing.model_card import model_card
from langid.streaming.decision import MEAN
from langid.training.identifier import LanguageIdentifier
from langid.training.shared_folder import contents
from langid.training.weights_digest import frozen_encoder
from langid.typed import command_line

MODEL, CARD = "model.onnx", "README.md"


def share(
    identifier: LanguageIdentifier,
    folder: Path,
    report: Path | None = None,
    audio: Sequence[str | Path] | None = None,
) -> str:
    """Write a folder that ``langid.load`` reads; return why it has no ONNX file, or nothing.

    ``report`` is that of ``langid evaluate``, for the card; ``audio`` names speech on which the
    ONNX file is checked, clips of the training where there is none. Raises LangidError where the
    folder is there already, for a report of another checkpoint, and where there is no speech.
    """
    with new_folder(folder, "output") as partial:
        form, reason = _form_of(identifier)
        card = model_card(identifier, folder.name, _to_run(folder.name, form, identifier), report)
        files = {**contents(identifier), CARD: card.encode()}
        for name, content in files.items():
            (partial / name).write_bytes(content)
        if form is not None:
            form.write(identifier, partial / MODEL, speech_to_check(identifier, audio), MEAN)
    return reason


def _form_of(identifier: LanguageIdentifier) -> tuple[Form | None, str]:
    """Return the form in which an identifier can be one ONNX file; None, and why, where in none."""
    if encoder := frozen_encoder(identifier).get("encoder"):
        told = f"it would hold the weights of {encoder['name']}, which the checkpoint does not"
        return None, f"{told}; langid export mode=offline writes one"
    reasons = []
    for mode in ("streaming", "offline"):
        form = Form("onnx", mode, "float32", None, None)
        try:
            form.check(identifier, MEAN)
            return form, ""
        except LangidError as error:
            reasons.append(str(error))
    return None, "; ".join(reasons)


def _to_run(name: str, form: Form | None, identifier: LanguageIdentifier) -> list[str]:
    lines = [INSTALL]
    if encoder := frozen_encoder(identifier).get("encoder"):
        lines = [
            INSTALL.replace(" . ", " '.[pretrained]' "),
            f"# {encoder['name']} is looked for in the folder LANGID_MODELS and the hub's cache.",
        ]
    lines += [f"hf download OWNER/NAME --local-dir {shlex.quote(name)}"]
    if form is not None:
        lines += [command_line("predict", model=f"{name}/{MODEL}", audio="FILE")]
    trusted = identifier.described.packages
    measured = {"checkpoint": name, "store": "STORE.h5", "output": "DIR", "part": "all"}
    lines += [command_line("evaluate", trusted=trusted, **measured)]
    more = f", trusted={trusted}" if trusted else ""
    return [*lines, f"langid.load({name!r}{more})  # in Python"]
