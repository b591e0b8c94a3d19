"""README and the pages of docs/, typed from top to bottom by a reader who has a few real clips."""

import csv
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from langid.audio.decode import read_audio
from langid.commands.hydra_flags import read_flags
from langid.commands.main import COMMANDS
from langid.commands.override_check import check_overrides
from langid.commands.reproduce import with_experiments
from langid.commands.text_keys import readable

from .conftest import LOCALES, RELEASE, Command, Once
from .corpora.conftest import fleurs_of

ROOT = Path(__file__).parents[1]
COMMAND = rf"langid (?:{'|'.join(COMMANDS)})\b[^`\n]*"
TYPED = re.compile(rf"^(?:    )?({COMMAND})|`(?:[^`\n]*; )?({COMMAND}=[^`\n]*)`", re.M)
PAGES = {
    path.name: [
        (match[1] or match[2]).split("  #")[0].strip()
        for match in TYPED.finditer(path.read_text(encoding="utf-8"))
    ]
    for path in (ROOT / "README.md", *sorted(ROOT.glob("docs/*.md")))
}
# What other tests type, by words of its line; the least that a command can do; and less of what
# a line asks for, or what it means by a name that has another meaning elsewhere.
ELSEWHERE = {
    "audio=mic": "commands/test_stream_microphone.py",
    "HOST": "data/test_backends.py, on clusters of one machine",
    "langid demo": "commands/test_demo.py",
    "trainer=ddp": "commands/test_train_ddp.py",
    "my_project": "test_readme.py",
    "--all": "commands/test_reproduce.py",
    "accent_es_basic": "test_experiments.py, on clips with accents",
    "submitit": "no test: it needs Slurm",
}
BRIEF = ("trainer.max_epochs=1", "+trainer.limit_train_batches=1", "trainer.accelerator=cpu",
         "data.batch_size=12")  # fmt: skip
SMALL = {
    "train": (*BRIEF, "~callbacks.pictures"),
    "tune": BRIEF,
    "reproduce": (*BRIEF, "workers=1"),
    "prepare": ("workers=1",),
}
FEWER = {
    "trials=50": "trials=1",
    "seed=0,1,2,3": "seed=0,1",
    "n_jobs=4": "n_jobs=2",
    "split.fold=0,1,2,3,4": "split.fold=0,1",
    "[F0,F1,F2,F3,F4]": "[F0,F1]",
    "model=gru,lstm,tcn silence=mask,remove": "model=gru,tcn silence=mask",
    "model=ecapa_tdnn": "model=ecapa_tdnn model.network.channels=32 model.network.aggregated=96",
    "resume=RUN/checkpoints/last.ckpt": "resume=RUN/checkpoints/last.ckpt trainer.max_epochs=2",
    "best_stream ... init=RUN": "best_stream ... init=sounds",
    "reproduce NAME corpus.root=DIR": f"reproduce ee599_gru_stacked corpus.root={RELEASE}",
}

MADE = (  # what readers of a page have from another one, or of their own
    f"prepare corpus=common_voice corpus.root={RELEASE} store=cv.h5",
    "prepare corpus=folders corpus.root=folders features=log_mel content=samples store=mel.h5",
    f"prepare corpus=common_voice 'corpus.root=[{RELEASE},others]' store=more.h5",
    "prepare corpus=folders 'corpus.root=[folders,my_folder]' store=more.h5 add=true",
    "prepare corpus=fleurs corpus.root=fleurs store=more.h5 add=true",
    "prepare corpus=common_voice corpus.root=others store=other.h5",
    f"prepare corpus=common_voice 'corpus.root=[{RELEASE},others]' features=pretrained"
    " features.encoder=openai/whisper-base store=many.h5",
    "train experiment=gru store=cv.h5 output=runs/first",
    "train experiment=gru store=cv.h5 output=runs/gru seed=1",
    "train experiment=gru store=cv.h5 model=lstm output=runs/lstm",
    "train experiment=gru store=cv.h5 model=ecapa_tdnn output=runs/ecapa",
    "train experiment=sounds store=mel.h5 teacher=openai/whisper-base output=sounds",
    "evaluate checkpoint=runs/first/checkpoints/best.ckpt store=cv.h5 output=report",
    "export checkpoint=runs/first/checkpoints/best.ckpt output=model.onnx",
)
CALLED = {  # by the pages
    "BEST.ckpt": "runs/first/checkpoints/best.ckpt",
    "PROBE.ckpt": "runs/first/checkpoints/best.ckpt",
    "ECAPA.ckpt": "runs/ecapa/checkpoints/best.ckpt",
    "RUN": "runs/first",
    "DIR": "folders",
}


@pytest.fixture(scope="session")
def desk(data_root: Path, saved_encoder: Callable[..., Path], once: Once, langid: Command) -> Path:
    """Return a folder with what readers have at hand, and with what MADE makes of it."""

    def fill(folder: Path) -> None:
        lay_out(data_root / RELEASE, folder)
        shutil.copytree(saved_encoder("whisper", encoder_layers=4), folder / "openai/whisper-base")
        for line in MADE:
            words = shlex.split(shortened(line))
            ended = langid(*words, *SMALL.get(words[0], ()), cwd=folder)
            assert ended.returncode == 0, (line, ended.stdout, ended.stderr)
        for name, made in CALLED.items():
            (folder / name).symlink_to(made)
        shutil.copy(folder / "report" / "report.json", folder / "DIR")

    return once("desk", fill)


def lay_out(release: Path, folder: Path) -> None:
    """Lay out clips of six languages as corpora, folders and files, none twice for one store."""
    clips = []
    for locale in (*LOCALES, "fr", "de", "es"):
        with open(release / locale / "validated.tsv", encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            rows = list({row["client_id"]: row for row in reader}.values())
        chosen = [release / locale / "clips" / row["path"] for row in rows]
        if locale not in LOCALES:
            release_of(rows[:8], chosen[:8], folder / "others" / locale)
            continue
        count = 24 if locale == "en" else 8  # so much that three balanced sets can be made
        release_of(rows[:count], chosen[:count], folder / RELEASE / locale)
        release_of(rows[:count:2], chosen[:count:2], folder / "A" / locale)
        release_of(rows[1:count:2], chosen[1:count:2], folder / "B" / locale)
        link(chosen[count : count + 8], folder / "folders" / locale)
        clips += chosen[:12]
    # Of the last language, so that nothing says what is spoken.
    link(chosen[8:12], folder / "NEW" / "unlabelled")
    link(chosen[12:16], folder / "my_folder" / "unlabelled")
    fleurs_of(clips, folder / "fleurs")
    table = [f"{path},{path.parents[1].name}" for path in clips]
    (folder / "courses.csv").write_text("\n".join(["path,lang", *table]) + "\n")
    for number, name in enumerate(("clip.mp3", "a.mp3")):
        (folder / name).symlink_to(clips[number])
    samples = [read_audio(path, 16000) for path in (clips[0], clips[-1])]
    (folder / "MUSAN").mkdir()
    soundfile.write(folder / "MUSAN" / "noise.wav", samples[0][:16000], 16000)
    soundfile.write(folder / "b.wav", samples[1], 16000)
    for name in ("talk.flac", "meeting.flac"):
        soundfile.write(folder / name, np.concatenate(samples), 16000)


def release_of(rows: list[dict[str, str]], clips: list[Path], locale: Path) -> None:
    """Write a locale of a release: its tables, of which the official ones share out the clips."""
    link(clips, locale / "clips")
    shares = {"validated": rows, "train": rows[::2], "dev": rows[1::4], "test": rows[3::4]}
    for name, share in shares.items():
        lines = ["\t".join(row.values()) for row in share]
        (locale / f"{name}.tsv").write_text("\n".join(["\t".join(rows[0]), *lines]) + "\n")


def link(clips: list[Path], folder: Path) -> None:
    folder.mkdir(parents=True)
    for clip in clips:
        (folder / clip.name).symlink_to(clip)


def shortened(line: str) -> str:
    for long, short in FEWER.items():
        line = line.replace(long, short)
    return line


def elsewhere(line: str) -> bool:
    return any(words in line for words in ELSEWHERE)


class Reader:
    """Types the lines of a page in a folder that holds what lies on the desk."""

    def __init__(self, desk: Path, folder: Path, langid: Command):
        self.folder, self.langid = folder, langid
        shutil.copytree(desk, folder, symlinks=True)
        self.made: set[str] = set()

    def type(self, line: str) -> None:
        """Do what a line says, on little; what it makes was not there, unless the page made it."""
        words = self._whole(line)
        keys = dict(word.partition("=")[::2] for word in words)
        output = keys.get("store" if words[0] == "prepare" else "output", "")
        if output and output not in self.made and "add" not in keys:
            self.made.add(output)
            remove(self.folder / output)
        ended = self.langid(*words, cwd=self.folder)
        assert ended.returncode == 0, (words, ended.stdout[-2000:], ended.stderr)
        assert "--cfg" in words or (self.folder / output).exists(), (words, ended.stdout)
        if "-m" in words:
            for number, best in enumerate(sorted((self.folder / output).rglob("best.ckpt"))):
                remove(self.folder / f"F{number}")
                (self.folder / f"F{number}").symlink_to(best)

    def _whole(self, line: str) -> list[str]:
        """Return the words of a line with what it leaves open, and with less work to do."""
        _, command, *words = shlex.split(shortened(line))
        if "..." in words:
            words.remove("...")
            words = left_open(command, words, len(self.made)) + words
        given = {word.partition("=")[0] for word in words}
        small = (word for word in SMALL.get(command, ()) if word.partition("=")[0] not in given)
        return [command, *words, *small]


def left_open(command: str, words: list[str], number: int) -> list[str]:
    """Return what is typed in place of ``...``."""
    given, line = {word.partition("=")[0] for word in words}, " ".join(words)
    if command == "prepare":
        official = f"corpus=common_voice corpus.root={RELEASE}" if "corpus.tsv" in given else ""
        store = "official" if official else f"typed{number}"
        return [*(official or "corpus=folders corpus.root=DIR").split(), f"store={store}.h5"]
    typed = [f"output=typed/{number}"]
    if command == "evaluate":
        checkpoint = [] if "checkpoint" in given else ["checkpoint=BEST.ckpt"]
        return [*typed, "store=cv.h5", *checkpoint]
    if "experiment" not in given:
        typed += ["experiment=gru"]
    if "sounds" in line or "best_stream" in line:
        return [*typed, "store=mel.h5"]
    if "split=official" in line:
        return [*typed, "store=official.h5"]
    if "unlabelled" in line and "teacher" not in given:
        typed += ["loss=distillation", "teacher=PROBE.ckpt"]
    if re.search("unlabelled|fleurs|folders", line):
        return [*typed, "store=more.h5", "task.classes=[English,Hindi,Mandarin]"]
    return [*typed, "store=cv.h5"]


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


OTHERS = {line for lines in PAGES.values() for line in lines if elsewhere(line)}
OTHERS -= {line for line in OTHERS if re.search("my_project|submitit", line)}  # not composed here


@pytest.mark.parametrize("line", sorted(OTHERS))
def test_what_is_typed_elsewhere_composes(line: str) -> None:
    _, command, *words = [word for word in shlex.split(line) if word != "..."]
    flags = read_flags(command, words)
    overrides = flags.overrides
    if "..." in line:
        overrides += left_open(command, words, 0)
    if command == "reproduce":
        overrides = with_experiments([*overrides, *(["experiments=all"] if flags.all else [])])
    overrides = [readable(command, override) for override in overrides]
    check_overrides(command, overrides, whole=not flags.shown)


HERE = {name: [line for line in lines if not elsewhere(line)] for name, lines in PAGES.items()}


@pytest.mark.parametrize("page", [name for name, lines in HERE.items() if lines])
def test_a_page_can_be_typed_from_top_to_bottom(
    page: str, desk: Path, tmp_path: Path, langid: Command
) -> None:
    reader = Reader(desk, tmp_path / "desk", langid)
    for line in HERE[page]:
        reader.type(line)
