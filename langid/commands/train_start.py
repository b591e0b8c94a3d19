"""What a training prints before it begins."""

from typing import TYPE_CHECKING

from rich.table import Table

from langid.corpora.tasks import left_out_line
from langid.terminal import console

if TYPE_CHECKING:
    from langid.training.run_record import RunRecord

WITHOUT = {  # what follows where nothing of a class is heard in a part
    "validation": "its recall is not in val/balanced_accuracy, and best.ckpt is chosen without it",
    "test": "evaluate cannot tell how well it is recognised",
}


def print_start(record: "RunRecord") -> None:
    """Print the clips and speakers of every class and part, and what to beware of."""
    summary, column = record.split_summary, record.task["column"]
    parts, shared = summary["parts"], summary["shared"]
    table = Table(column, *parts, "loss weight", title="clips / speakers")
    for name, weight in zip(record.classes, record.class_weights, strict=False):
        cells = [_cell(**part[name]) if name in part else "–" for part in parts.values()]
        table.add_row(name, *cells, f"{weight:.3f}")
    console().print(table)
    if left_out := left_out_line(column, record.left_out):
        print(left_out)
    _print_missing(summary["missing"])
    print(
        f"shared by training and the other parts: {shared['speakers']} speakers,"
        f" {shared['utterances']} utterances"
    )
    if shared["unknown_speakers"]:
        print(
            f"warning: {shared['unknown_speakers']} clips of validation and test have no known"
            " speaker; each counts as one of its own, so speakers may be shared unseen"
        )
    _print_balance(record)
    _print_taken(record)
    numbers = f"parameters: {record.parameters:,}   seed: {record.seed}"
    print(f"{numbers}   folder: {record.config['output']}", flush=True)


def _cell(clips: int, speakers: int, unknown_speakers: int) -> str:
    """Return clips and speakers as text; clips of unknown speakers are no speakers."""
    if not unknown_speakers:
        return f"{clips} / {speakers}"
    return (
        f"{clips} / {speakers} + {unknown_speakers} unknown" if speakers else f"{clips} / unknown"
    )


def _print_missing(missing: dict[str, list[str]]) -> None:
    """Say of which classes nothing is heard in a part that the split deals."""
    for part, names in missing.items():
        for name in names:
            print(
                f"warning: no speech of {name} in {part}: {WITHOUT[part]}; let split=speaker deal"
                " every class (without split.train_only), prepare more speech of it for that part,"
                " or leave the class out (task.classes)"
            )


def _print_balance(record: "RunRecord") -> None:
    """Say what an epoch draws, where that is not every training sequence once."""
    if record.balance["_target_"].endswith(".EverySequence"):
        return
    counts = zip(record.classes, *record.sequences.values(), strict=True)
    drawn = (f"{name} {per_epoch} (of {there})" for name, there, per_epoch in counts)
    print(f"sequences an epoch: {', '.join(drawn)}")
    if len(set(record.class_weights)) > 1:
        print(
            "warning: balance and loss.class_weights correct the imbalance twice; add"
            " loss.class_weights=none, or take balance=none"
        )


def _print_taken(record: "RunRecord") -> None:
    """Say what was taken over from the checkpoint that the run starts from."""
    if record.init is None:
        return
    start, head = record.start, record.init["head"]
    print(f"init {record.init['checkpoint']}: {len(start['classes'])} classes, init.head={head}")
    for kind in ("taken", "new", "left", "frozen"):
        if start[kind]:
            groups = (f"{name} ({count})" for name, count in start[kind].items())
            print(f"  {kind:7}{', '.join(groups)}")
    if start["differs"]:
        print(f"warning: init was trained on other sound ({'; '.join(start['differs'])})")
