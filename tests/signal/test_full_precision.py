"""TF32 is off where states are made, and everywhere else as it was."""

import pytest
import torch

from langid.signal.full_precision import without_tf32


def precisions() -> tuple[str, str]:
    return torch.backends.cudnn.conv.fp32_precision, torch.backends.cuda.matmul.fp32_precision


def test_tf32_is_off_for_states_alone() -> None:
    before = precisions()
    with without_tf32("cpu"):
        assert precisions() == before
    with pytest.raises(ZeroDivisionError), without_tf32("cuda"):
        assert precisions() == ("ieee", "ieee")
        raise ZeroDivisionError
    assert precisions() == before
    with without_tf32("cuda"), without_tf32("cuda"):
        pass
    assert precisions() == before
