"""Training with model.stride: what is learnt from a store is what clips are scored by."""

from pathlib import Path

import pytest
import torch

import langid as package
from langid.audio.decode import read_audio
from langid.audio.full_scale import in_16_bits
from langid.commands.main import main
from langid.errors import LangidError
from langid.evaluation.predictions import predict_part
from langid.signal.spectral_augment import Augment
from langid.training.checkpoint import build_identifier
from langid.utterance import utterance_posterior

from ..conftest import described

TINY = (
    "experiment=gru", "model.stride=4", "model.network.units=12", "model.network.dense=8",
    "data.batch_size=8", "data.sequence_frames=200", "trainer.max_epochs=2",
    "trainer.accelerator=cpu", "~callbacks.pictures", "optimizer.lr=0.02",
)  # fmt: skip


@pytest.mark.parametrize("silence", ["mask", "remove"])
def test_evaluation_says_of_a_store_what_is_said_of_its_clips(
    silence: str, samples_path: Path, tmp_path: Path
) -> None:
    arguments = [f"store={samples_path}", f"output={tmp_path}/run", f"silence={silence}"]
    carried = ["data.carry_state=true"] if silence == "remove" else ["augment=spec_augment"]
    assert main(["train", *TINY, *arguments, *carried]) == 0
    checkpoint = tmp_path / "run" / "checkpoints" / "best.ckpt"
    identifier = package.load(checkpoint)
    assert identifier.network.layers[0].input_size == 4 * 64
    predictions = predict_part([checkpoint], samples_path, "all")
    paths = package.Store(samples_path).utterances["path"]
    spread = predictions.posteriors.std(0).max()
    for row, said in zip(predictions.table.index, predictions.posteriors, strict=True):
        samples = torch.from_numpy(in_16_bits(read_audio(paths[row], 16000)))[None]
        posteriors, speech = identifier.posteriors(samples)
        if samples.shape[1] % (4 * 160) and int(speech.sum()) != predictions.table["frames"][row]:
            speech = speech.clone()  # of a last frame that is there in part the store knows less
            speech[0, -1] = ~speech[0, -1]
        assert int(speech.sum()) == predictions.table["frames"][row]
        expected = utterance_posterior(posteriors, speech)[0]
        torch.testing.assert_close(torch.from_numpy(said).float(), expected, rtol=0, atol=2e-4)
    assert spread > 2e-3  # or there is nothing to compare
    heard = predict_part([checkpoint], samples_path, "all", heard_s=1.0)
    assert heard.table["frames"].max() <= 25


def test_masks_are_of_frames_and_bins_of_the_features(
    checkpoint_path: Path, store_path: Path, tmp_path: Path
) -> None:
    assert main(["train", *TINY, f"store={store_path}", f"output={tmp_path}/run"]) == 0
    identifier = package.load(tmp_path / "run" / "checkpoints" / "best.ckpt")
    seen = []

    class Shapes(Augment):
        def forward(self, features: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
            seen.append((features.shape, lengths.tolist()))
            return features + 1

    features = torch.randn(2, 10, 256)
    plain = identifier.prepared(features, torch.tensor([10, 7]))
    identifier.augment = Shapes()
    changed = identifier.prepared(features, torch.tensor([10, 7]))
    assert seen == [((2, 40, 64), [40, 28])]
    torch.testing.assert_close(changed, plain + 1)


def test_members_of_an_ensemble_hear_the_same_frames(
    checkpoint_path: Path, store_path: Path, tmp_path: Path
) -> None:
    same = ["data.sequence_frames=200", "data.batch_size=16"]  # as the checkpoint
    arguments = [*TINY, *same, f"store={store_path}", f"output={tmp_path}/run"]
    assert main(["train", *arguments]) == 0
    pair = [checkpoint_path, tmp_path / "run" / "checkpoints" / "best.ckpt"]
    with pytest.raises(LangidError, match=r"its stride 4 is not that of the first one, 1"):
        predict_part(pair, store_path, "test", ensemble=True)


def test_a_network_of_samples_has_no_frames_to_stack() -> None:
    network = {"_target_": "langid.networks.pretrained.PretrainedNetwork"}
    with pytest.raises(LangidError, match=r"model.stride=2: .* \S*PretrainedNetwork takes samples"):
        build_identifier(described(model={"network": network, "stride": 2}))


@pytest.mark.parametrize("stride", ["0", "1.5", "two"])
def test_what_is_no_stride_is_refused(
    stride: str, store_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [*TINY, f"model.stride={stride}", f"store={store_path}", f"output={tmp_path}/run"]
    assert main(["train", *arguments]) == 2
    assert f"model.stride={stride}: accepted are whole numbers" in capsys.readouterr().err
