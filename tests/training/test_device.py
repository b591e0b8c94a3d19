"""Training on a device that knows no numbers of 64 bits, as Apple's GPUs do not."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from pytorch_lightning.accelerators import CPUAccelerator
from pytorch_lightning.strategies import SingleDeviceStrategy
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

from langid.commands.main import main
from langid.evaluation.predictions import predict_part
from langid.training.checkpoint import read_checkpoint

# torch takes this device as given on any machine. What lies there has a value all the same.
DEVICE = torch.device("meta")
FROM_ANYWHERE = ("copy_", "_to_copy", "index", "index_put_")  # ops that hear of the CPU as well


class OnDevice(Tensor):
    """A tensor that says it is on the device, and whose value ``held`` is on the CPU."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> "OnDevice":
        if held.dtype == torch.float64:
            raise TypeError("the device has no float64")
        layout = {"strides": held.stride(), "storage_offset": held.storage_offset()}
        tensor = Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls, held.shape, dtype=held.dtype, device=DEVICE, **layout
        )
        tensor.held = held
        return tensor  # type: ignore[no-any-return]

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.held.__reduce_ex__(protocol)

    def __format__(self, wanted: str) -> str:
        return format(self.held, wanted)

    @classmethod
    def __torch_dispatch__(cls, op: Any, *_: Any) -> Any:
        raise AssertionError(f"{op} outside of Device")


class Device(TorchDispatchMode):
    """Has every op on tensors of the device done on the CPU, unless a device could not do it.

    It has no float64, and nothing in common with the CPU but single numbers.
    """

    def __torch_dispatch__(self, op: Any, _: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        given = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        there = any(isinstance(tensor, OnDevice) for tensor in given)
        if there and op.overloadpacket.__name__ not in FROM_ANYWHERE:
            elsewhere = [tensor for tensor in given if not isinstance(tensor, OnDevice)]
            assert not any(tensor.dim() for tensor in elsewhere), f"{op} on two devices"
        if kwargs.get("device") is not None:
            there = torch.device(kwargs["device"]) == DEVICE
            kwargs["device"] = torch.device("cpu")
        args, kwargs = tree_map_only(OnDevice, lambda tensor: tensor.held, (args, kwargs))
        outputs = op(*args, **kwargs)
        if not there:
            return outputs
        return tree_map_only(Tensor, OnDevice, outputs)


class Made(TorchFunctionMode):
    """Has tensors made of numbers moved to the device, on which torch would forget the numbers."""

    def __torch_function__(self, made: Any, _: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if made is torch.tensor and torch.device(kwargs.get("device") or "cpu") == DEVICE:
            return made(*args, **kwargs | {"device": None}).to(DEVICE)
        return made(*args, **kwargs)


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have Lightning train on the device where it is told to train on the CPU."""
    monkeypatch.setattr(SingleDeviceStrategy, "root_device", DEVICE)
    monkeypatch.setattr(CPUAccelerator, "setup_device", lambda *_: None)
    with Device(), Made():
        yield


SMALL = {
    "tcn": ("channels=4", "layers=2", "dense=4"),
    "cnn": ("channels=[4,4]", "dense=4"),
}


@pytest.mark.parametrize("model", SMALL)
def test_a_run_puts_no_float64_on_its_device(
    model: str, store_path: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    sizes = [f"model.network.{size}" for size in SMALL[model]]
    choices = ["trainer.accelerator=cpu", "augment=spec_augment", "data.sequence_frames=100"]
    limits = ["data.batch_size=8", "+trainer.limit_train_batches=3", "trainer.max_epochs=2"]
    arguments = [f"model={model}", *sizes, *choices, *limits, f"store={store_path}"]
    there, here = tmp_path / "there", tmp_path / "here"
    assert main(["train", *arguments, f"output={here}"]) == 0
    request.getfixturevalue("device")
    assert main(["train", *arguments, f"output={there}"]) == 0
    expected, got = (read_checkpoint(run / "checkpoints" / "last.ckpt") for run in (here, there))
    for name, value in expected["langid_validation"].items():
        assert got["langid_validation"][name] == pytest.approx(value, abs=1e-4), name
    for name, weight in expected["state_dict"].items():
        torch.testing.assert_close(got["state_dict"][name], weight, atol=1e-4, rtol=1e-4)


def test_an_evaluation_puts_no_float64_on_its_device(
    store_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["model=tcn", *(f"model.network.{size}" for size in SMALL["tcn"])]
    limits = ["trainer.accelerator=cpu", "trainer.max_epochs=1", f"output={tmp_path}"]
    assert main(["train", *arguments, *limits, f"store={store_path}"]) == 0
    checkpoint = tmp_path / "checkpoints" / "best.ckpt"
    here = predict_part([checkpoint], store_path, "all", accelerator="cpu").table
    monkeypatch.setattr("langid.evaluation.predictions.device_of", lambda _: DEVICE)
    with Device(), Made():
        there = predict_part([checkpoint], store_path, "all").table
    pd.testing.assert_frame_equal(there, here, atol=1e-6)
    assert (there["p(Hindi)"].dtype, here["frames"].dtype) == ("float64", "int64")
