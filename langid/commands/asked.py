"""What the configuration of a command asks of an evaluation."""

from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from langid.commands.paths import listed, path_of

if TYPE_CHECKING:
    from langid.evaluation.asked import Asked

PLAIN = ("part", "workers", "ensemble", "accelerator", "heard_s")


def asked_of(config: DictConfig) -> "Asked":
    """Return what is asked; keys that a command does not have are as Asked has them."""
    from langid.evaluation.asked import Asked
    from langid.metrics import DetectionCosts

    held: dict[str, Any] = {key: config[key] for key in PLAIN if key in config}
    if config.get("corpora") is not None:
        held["corpora"] = listed(config.corpora)
    if "seconds" in config:
        held["seconds"] = listed(config.seconds)
    if "cavg" in config:
        held["costs"] = DetectionCosts(**config.cavg)
    checkpoints = [path_of(path) for path in listed(config.checkpoint)]
    return Asked(checkpoints=checkpoints, store=path_of(config.store), **held)
