"""Keys whose values are names, paths or other texts, which stay as they are typed.

Hydra's grammar reads ``2024_11_27``, ``1e3``, ``nan`` and ``true`` as numbers and switches wherever
they stand. What a value is depends on its key instead.
"""

from typing import Any

from antlr4 import CommonTokenStream, InputStream
from hydra.core.override_parser.overrides_parser import create_functions
from hydra.core.override_parser.overrides_visitor import HydraOverrideVisitor
from hydra.core.override_parser.types import QuotedString
from hydra.grammar.gen.OverrideLexer import OverrideLexer
from hydra.grammar.gen.OverrideParser import OverrideParser
from omegaconf import OmegaConf

from langid.commands.configuration import groups, option, options, parsed, texts
from langid.errors import LangidError
from langid.typed import quoted

# Of all commands; a key with the name of one of the command's groups takes an option of the group.
TEXT = frozenset({
    "corpus", "store", "content", "backend", "cluster", "name", "output", "resume", "select",
    "checkpoint", "part",
    "corpora", "unknown", "clip", "exported", "folders", "experiments", "overrides", "table",
    "format", "mode", "report",
    "precision", "accelerator", "model", "audio", "languages", "rttm", "plot", "init.checkpoint",
    "init.normaliser", "teacher.checkpoint", "teacher.unit", "loss.unit",
    "corpus.root", "corpus.path", "corpus.locales", "corpus.tsv", "corpus.speaker_pattern",
    "corpus.format", "corpus.label", "corpus.parts",
    "features.encoder", "features.revision", "features.sha256",
    "split.train_only", "split.test", "split.unlabelled", "task.column", "task.classes",
    "task.merge", "silence.policy",
    "model.network.cell", "model.network.activation", "model.network.head",
    "logger.save_dir", "logger.name", "trainer.default_root_dir",
})  # fmt: skip
SWITCHES = {("evaluate", "audio")}  # of commands in which a key of that name is no text
OF_CHECKPOINTS = ("init", "teacher")  # groups that take a checkpoint in an option's place
COUNT = ("range", "interval")  # functions of Hydra that take numbers


def readable(command: str, argument: str) -> str:
    """Return KEY=VALUE in a form that Hydra's grammar reads, and reads as text where it is one.

    A plain text that it cannot read, such as a path with parentheses or letters outside ASCII, is
    put in quotes, and so is what stands for a number, a switch or nothing in the value of a key
    of ``TEXT``, in lists and sweeps too; ``null`` stays where it is the key's default.
    ``init=PATH`` becomes ``init.checkpoint=PATH``, and so with ``teacher``. Raises LangidError for
    the key of a mapping that cannot be read as typed.
    """
    key, _, value = argument.partition("=")
    known = groups(command) if key in OF_CHECKPOINTS else ()
    if key in known and value[:1] != "{" and value not in options(command, key):
        key = f"{key}.checkpoint"
        argument = f"{key}={value}"
    if parsed(argument) is None:
        plain = value.lstrip()[:1] not in "'\"[{" and "," not in value and "${" not in value
        return f"{key}={quoted(value)}" if value and plain else argument
    name = key.lstrip("+~")
    text = name in TEXT and (command, name) not in SWITCHES and name not in groups(command)
    if not value or not text:
        return argument
    found = _Kinds(argument, _may_be_null(command, name)).found
    for start, stop in reversed(found):
        argument = argument[:start] + quoted(argument[start:stop].strip()) + argument[stop:]
    return argument


def bare(argument: str) -> str:
    """Return KEY=VALUE without the quotes around texts, for people and for names of folders."""
    key = argument.partition("=")[0]
    read = parsed(argument) if key.lstrip("+~") in TEXT else None
    return f"{key}={_shown(read.value())}" if read else argument


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return f"[{','.join(map(_shown, value))}]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{_shown(item)}" for key, item in value.items()) + "}"
    return "null" if value is None else str(value)


def _may_be_null(command: str, name: str) -> bool:
    """Return whether a key is null where it is not given, by the YAML of command and groups."""
    group, _, key = name.partition(".")
    plain: list[Any] = [OmegaConf.to_container(OmegaConf.create(text)) for text in texts(command)]
    if key and group in groups(command):
        plain += [option(command, group, choice) for choice in options(command, group)]
    return any(one.get(key or name, "") is None for one in plain)


def _is_inside(ctx: Any) -> bool:
    """Return whether a value is an item of a list or a mapping."""
    containers = (OverrideParser.ListContainerContext, OverrideParser.DictContainerContext)
    above = ctx.parentCtx
    return above is not None and (isinstance(above, containers) or _is_inside(above))


class _Kinds(HydraOverrideVisitor):  # type: ignore[misc]
    """Finds what is read as another kind than text: ``found`` has ``(start, stop)`` of each."""

    def __init__(self, argument: str, may_be_null: bool):
        super().__init__(create_functions())
        self.argument = argument
        self.may_be_null = may_be_null
        self.found: list[tuple[int, int]] = []
        stream = CommonTokenStream(OverrideLexer(InputStream(argument)))
        self.visit(OverrideParser(stream).override())  # type: ignore[no-untyped-call]

    def visitPrimitive(self, ctx: Any) -> Any:
        value = super().visitPrimitive(ctx)
        null = value is None and self.may_be_null and not _is_inside(ctx)
        if not isinstance(value, str | QuotedString) and not null:
            self.found.append((ctx.start.start, ctx.stop.stop + 1))
        return value

    def visitDictKey(self, ctx: Any) -> Any:
        key, typed = super().visitDictKey(ctx), ctx.getText().strip()
        if not isinstance(key, str) and str(key) != typed:  # the grammar has no quotes for it
            raise LangidError(
                f"{self.argument}: {typed} is read as {key} on a command line, before a colon; give"
                " the mapping in a file, conf/experiment/NAME.yaml, with quotes around the name"
            )
        return key

    def visitFunction(self, ctx: Any) -> Any:
        return None if ctx.getChild(0).getText() in COUNT else super().visitFunction(ctx)
