"""Names of languages for the codes and the names that corpora give them."""

import contextlib
import difflib
import functools
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # imported where a corpus is read: the names take their time
    from langcodes import Language

# Where corpora, or speech, call a language otherwise than langcodes does.
NAMES = {
    "ab": "Abkhaz", "bn": "Bengali", "dv": "Dhivehi", "fy": "Frisian", "kmr": "Kurmanji Kurdish",
    "lg": "Luganda", "nb": "Norwegian", "tok": "Toki Pona", "zh": "Mandarin",
}  # fmt: skip
NO_LANGUAGE = (None, "", "mis", "mul", "und", "zxx")
SHOWN = 20  # as many folders as a note names


def language_of(code: str) -> str:
    """Return the language that a corpus calls ``code``, an ISO 639 code or an English name.

    ``zh``, ``cmn_hans_cn``, ``zh-TW``: Mandarin; ``zh-HK``, ``yue``: Cantonese; names of none stay.
    """
    return _known(code) or code


def code_of(language: str) -> str | None:
    """Return the ISO 639 code of a language by its name; None of what is no language."""
    return _english().get(language.casefold())


def unknown_note(root: object, folders: Iterable[str]) -> list[str]:
    """Return a line for people, if need be, on folders named after no language, and the nearest."""
    unknown = [name for name in sorted(folders) if not _known(name)]
    if not unknown:
        return []
    told = ", ".join(f"{name!r}{_nearest(name)}" for name in unknown[:SHOWN])
    others = " and others" if len(unknown) > SHOWN else ""
    return [f"{root}: no language is known as {told}{others}; kept as the name of the class"]


@functools.cache
def _known(code: str) -> str | None:
    from langcodes import Language
    from langcodes.tag_parser import LanguageTagError

    with contextlib.suppress(LanguageTagError):
        tag = Language.get(code)
        if tag.language in NAMES or (tag.is_valid() and tag.language not in NO_LANGUAGE):
            return _name(tag)
    of_name = _english().get(code.replace("_", " ").casefold())
    return _name(Language.get(of_name)) if of_name else None


def _name(tag: "Language") -> str:
    if tag.language == "zh" and tag.territory in ("HK", "MO"):
        return "Cantonese"
    if tag.language not in NAMES:
        tag = tag.prefer_macrolanguage()  # arb is Arabic, as ar is
    return NAMES.get(tag.language or "") or tag.language_name()


@functools.cache
def _english() -> dict[str, str]:
    """Return the codes of all languages by their English names in lower case."""
    from language_data.names import load_trie
    from language_data.util import data_filename

    codes = load_trie(data_filename("trie/en/name_to_language.marisa"))
    own = {name.casefold(): code for code, name in NAMES.items()}
    named = {name: code.decode() for name, code in codes.items()}
    return {name: code for name, code in named.items() if code not in NO_LANGUAGE} | own


def _nearest(name: str) -> str:
    found = difflib.get_close_matches(name.replace("_", " ").casefold(), _english(), 1)
    return f" (the nearest is {_known(found[0])})" if found else ""
