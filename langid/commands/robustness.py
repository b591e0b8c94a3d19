"""Score the test part through telephone, codec, noise, rooms and levels: what is lost.

Every utterance is heard as it is, through a telephone band, MP3 at 16 kbit/s, white and pink noise
at 20, 10, 5 and 0 dB, reverberation, 20 dB louder and softer, clipped, and behind a second of
silence. What is drawn for an utterance in a condition is the same for every network. Differences
from clean are paired, with 95 % intervals between speakers. Music, noise and silence alone follow:
how often is a class named, and how surely? And how often is it right by pauses alone, in which no
language can be heard? Of a store of features the clips are decoded again.

Writes robustness.html, a page with a picture that needs no other file, and robustness.json. langid
evaluate robustness=true has the same in its report.

Examples:
  langid robustness checkpoint=gru/checkpoints/best.ckpt store=trio.h5 output=robust
  langid robustness checkpoint=BEST.ckpt store=trio.h5 output=robust unknown_below=0.7
"""

import shlex
from typing import Any

from omegaconf import DictConfig
from rich.table import Table

from langid.commands.asked import asked_of
from langid.commands.configuration import typed
from langid.commands.paths import path_of
from langid.exclusive import exclusive_folder
from langid.terminal import print_named, print_table, with_interval


def run(config: DictConfig) -> None:
    """Hear the part in each condition, write the page and print its figures."""
    from langid.evaluation.robustness import check_whole, robustness, write_robustness
    from langid.evaluation.robustness_page import write_robustness_page
    from langid.streaming.decision import DecisionSettings

    below = DecisionSettings(unknown_below=config.unknown_below).unknown_below
    asked = asked_of(config)
    check_whole(asked)
    output = path_of(config.output)
    with exclusive_folder(output):
        found = robustness(asked, asked.predictions(asked.part, None), output, below)
        command = shlex.join(["langid", "robustness", *typed()])
        write_robustness_page(found, command, output)
        write_robustness(found, output)
    print_robustness(found)
    print_named(page=output / "robustness.html", report=output / "robustness.json")


def print_robustness(found: dict[str, Any]) -> None:
    """Print what is lost in each condition, and what is said where nobody speaks."""
    from langid.evaluation.report import who_speaks
    from langid.evaluation.robustness_page import pauses_told

    title = f"{found['part']} part: {who_speaks(found)}"
    table = Table("heard", "balanced accuracy", "change", "confidence", title=title)
    for one in found["conditions"]:
        change = with_interval(one["difference"], "+.3f")
        told = with_interval(one["balanced_accuracy"]), change, f"{one['confidence']:.3f}"
        table.add_row(one["name"], *told)
    print_table(table)
    for one in found["without_speech"]:
        print(
            f"{one['name']:16} a class is named in {one['named']} of {one['clips']} clips, mean"
            f" confidence {one['confidence']:.3f}"
        )
    print(pauses_told(found))
