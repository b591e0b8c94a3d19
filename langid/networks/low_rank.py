"""Low-rank changes of layers of an encoder (LoRA, Hu et al. 2022), by ``peft``."""

import importlib.util
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from langid.errors import LangidError

# Projections of queries and values by their names in transformers; WavLM's attention takes their
# weights past any change, so there both layers of the network behind it learn.
ATTENTION = ("q_proj", "v_proj", "linear_q", "linear_v")
FEED_FORWARD = ("intermediate_dense", "output_dense")


def add_low_rank(layers: Sequence[nn.Module], rank: int) -> None:
    """Give layers changes of a rank, which alone learn and are nothing to begin with.

    Raises LangidError where ``peft`` is not installed, and for a rank that is none.
    """
    if type(rank) is not int or rank < 1:
        raise LangidError(f"network.lora_rank={rank}: accepted are whole numbers from 0")
    if importlib.util.find_spec("peft") is None:
        raise LangidError(
            f"network.lora_rank={rank}: peft is not installed; run pip install"
            " 'langid-speech[finetune]'"
        )
    from peft import LoraConfig, inject_adapter_in_model  # it takes seconds

    for layer in layers:
        names = FEED_FORWARD if _passes_by(layer) else ATTENTION
        there = {name.rpartition(".")[2] for name, _ in layer.named_modules()}
        targets = sorted(there & set(names))
        changed = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=targets)
        inject_adapter_in_model(changed, layer)


def _passes_by(layer: nn.Module) -> bool:
    return "WavLM" in type(layer).__name__


def is_low_rank(name: str) -> bool:
    """Return whether a tensor of an encoder, by its name, is a low-rank change."""
    return ".lora_" in name


def load_original(encoder: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Give an encoder its pretrained weights, below its low-rank changes if it has any."""
    held: dict[str, Any] = {
        name: weights[name.replace(".base_layer.", ".")]
        for name in encoder.state_dict()
        if not is_low_rank(name)
    }
    encoder.load_state_dict(encoder.state_dict() | held)
