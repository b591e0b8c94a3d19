"""Values as they are typed on a command line, so that what is printed can be pasted."""

import re
import shlex

# What Hydra's grammar reads as another kind than text where it stands alone.
NO_TEXT = re.compile(
    r"[+-]?(\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(e[+-]?[\d_]+)?|[+-]?(inf|nan)|true|false|null", re.I
)


def override(key: str, value: object) -> str:
    """Return an override as it is typed, in quotes where the shell or Hydra needs them."""
    return shlex.quote(f"{key}={in_grammar(value)}")


def command_line(command: str, **values: object) -> str:
    """Return a line of ``langid`` as it is typed, without keys of nothing: None and empty lists."""
    given = [override(key, value) for key, value in values.items() if value not in (None, [])]
    return " ".join([f"langid {command}", *given])


def in_grammar(value: object) -> str:
    """Return a value, which may be a list, as Hydra's grammar reads it back."""
    if value is None:
        return "null"
    if isinstance(value, list | tuple):
        return f"[{','.join(map(in_grammar, value))}]"
    text = str(value)
    number = isinstance(value, int | float)
    plain = re.fullmatch(r"[\w./-]+", text, re.ASCII) and not NO_TEXT.fullmatch(text)
    return text if number or plain else quoted(text)


def quoted(text: str) -> str:
    """Return a text in quotes, as Hydra's grammar reads it back, whatever it holds.

    Backslashes count there only before a quote, the closing one included.
    """
    escaped = re.sub(r'(\\*)"', r'\1\1\\"', text)
    return '"' + re.sub(r"(\\+)\Z", r"\1\1", escaped) + '"'
