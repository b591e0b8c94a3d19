"""A loss that is infinite or NaN: which utterances it comes of, and what to do."""

from collections.abc import Sequence

from pytorch_lightning import LightningModule
from torch import Tensor

from langid.data.dataset import Batch
from langid.errors import LangidError
from langid.training.processes import gathered


class Diverged(LangidError):
    """The loss of any process is infinite or NaN; raised in all processes of a run at once.

    ``batches`` are those of this process that it may come of, and ``utterances`` those of all.
    """

    def __init__(self, module: LightningModule, loss: Tensor, batches: Sequence[Batch]):
        names = [name for batch in batches for name in _utterances(module, batch)]
        finite = [row.isfinite().all() for batch in batches for row in batch.features]
        broken = [name for name, right in zip(names, finite, strict=True) if not right]
        # Each once, also where several of its sequences are in the batch.
        names, broken = (list(dict.fromkeys(gathered(some))) for some in (names, broken))
        advice = (
            f"the features of {', '.join(broken[:5])} are not finite; leave these out, or prepare"
            " the store again"
            if broken
            else "take a smaller optimizer.lr or trainer.gradient_clip_val"
        )
        super().__init__(
            f"the loss is {loss.item():g} in epoch {module.current_epoch}, step"
            f" {module.global_step} (utterances {', '.join(names[:5])}, ...); {advice}."
            " Checkpoints of earlier epochs are kept"
        )
        self.utterances = names


def _utterances(module: LightningModule, batch: Batch) -> list[str]:
    data = module.trainer.datamodule  # type: ignore[attr-defined]
    rows = data.parts["row"].iloc[batch.unit.tolist()]
    return list(data.store.utterances["utterance_id"].iloc[rows])
