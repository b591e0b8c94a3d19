"""Trains the network of detector=learned on what Silero VAD marks in clean clips.

python experiments/detectors/train.py RELEASE [WEIGHTS]

RELEASE is a folder of Common Voice. Clips are of the locales that benchmarks/detectors.py does not
judge, and clean: what Silero marks is 30 dB above what it does not. Each round they get new pauses,
noise, bands and loudness. The round is chosen on the HELD_OUT locales.
"""

import argparse
import logging
import math
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from material import KINDS, LENGTH, Heard, clean_sounds, examples, heard, no_speech
from torch import Tensor, nn

from langid.atomic_file import replaced
from langid.progress import progress
from langid.signal.acoustics.sound import Sound
from langid.signal.learned_detector import BANDS, FLOOR, WEIGHTS

TRAINED = [
    "ar", "es", "fa", "fr", "id", "it", "nl", "pa-IN", "pt", "ro", "ru", "sv-SE", "th", "vi",
    "zh-HK", "zh-TW",
]  # fmt: skip
HELD_OUT = ["de", "ja", "pl", "ta", "tr"]
SNRS = (20, 10, 5, 0)
UNITS = 32
ROUNDS, EXAMPLES, EPOCHS, BATCH = 8, 960, 6, 64  # each round has new examples
LEARNING_RATE = 8e-3
ONSET, ONSET_WEIGHT = 50, 3.0  # the first hops of an example count so much in the loss
LATER = 200  # every other batch begins so many hops later, or fewer
GAIN_DB = 10.0  # by which an example is louder or softer, each time
CENTRE, SPREAD = -15.0, 4.0  # of the bands, about


class Network(nn.Module):
    """The network in training: ``bands (batch, time, BANDS) -> logits (batch, time)``."""

    def __init__(self, units: int):
        super().__init__()
        self.layer = nn.GRU(BANDS, units, batch_first=True)
        self.output = nn.Linear(units, 1)

    def forward(self, bands: Tensor) -> Tensor:
        return self.output(self.layer((bands - CENTRE) / SPREAD)[0]).squeeze(2)

    @torch.no_grad()
    def weights(self) -> dict[str, Tensor]:
        """Return what the detector takes, with the bands' centre and spread in the weights."""
        weight, recurrent, bias, recurrent_bias = self.layer.parameters()
        return {
            "input": weight / SPREAD,
            "recurrent": recurrent.clone(),
            "input_bias": bias - weight.sum(1) * (CENTRE / SPREAD),
            "recurrent_bias": recurrent_bias.clone(),
            "output": self.output.weight[0].clone(),
            "output_bias": self.output.bias[0].clone(),
        }


def scores(network: Network, held_out: dict[str, Heard], threshold: float) -> dict[str, float]:
    """Return F1 against Silero's marks of the clean clip, by condition.

    Where there is no speech at all it is the share of examples of which no hop is marked.
    """
    found = {}
    for name, (bands, marks) in held_out.items():
        with torch.inference_mode():
            said = network(bands).sigmoid() >= threshold
        if marks.any():
            found[name] = float(2 * (said & marks).sum() / (said.sum() + marks.sum()))
        else:
            found[name] = float((~said).all(1).float().mean())
    return found


def train(
    network: Network, sounds: list[Sound], held_out: dict[str, Heard], options: argparse.Namespace
) -> dict[str, Tensor]:
    """Return the weights of the round with the best mean on what is held out."""
    kinds = {kind: KINDS[kind] for kind in KINDS if kind not in options.without}
    draws = np.random.default_rng([options.seed, 1])
    batches = EPOCHS * (EXAMPLES // BATCH)
    optimizer = torch.optim.Adam(network.parameters(), LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, LEARNING_RATE, total_steps=options.rounds * batches
    )
    weight = torch.ones(LENGTH)
    weight[:ONSET] = ONSET_WEIGHT
    best, chosen = 0.0, network.weights()
    for number in range(1, options.rounds + 1):
        bands, marks = examples(sounds, EXAMPLES, draws, kinds, None)
        with progress(f"round {number}", "batches") as bar:
            for _ in bar.track(range(batches)):
                rows = draws.choice(EXAMPLES, BATCH, replace=False)
                gains = torch.from_numpy(draws.uniform(-GAIN_DB, GAIN_DB, (BATCH, 1, 1))).float()
                first = draws.integers(2) * draws.integers(LATER)
                louder = bands[rows, first:] + gains * math.log(10) / 10
                logits = network(louder.clamp(min=math.log(FLOOR)))
                loss = nn.functional.binary_cross_entropy_with_logits(
                    logits, marks[rows, first:].float(), weight[: LENGTH - first]
                )
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(network.parameters(), 1.0)
                optimizer.step()
                schedule.step()
        found = scores(network, held_out, 0.5)
        told = ", ".join(f"{name} {value:.3f}" for name, value in found.items())
        print(f"round {number}: loss {loss.item():.3f}; held out: {told}", flush=True)
        if (mean := float(np.mean(list(found.values())))) > best:
            best, chosen = mean, {name: value.clone() for name, value in network.weights().items()}
    return chosen


def main() -> None:
    """Train, print what the held-out locales have, and write the weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("release", type=Path)
    parser.add_argument("weights", type=Path, nargs="?", default=WEIGHTS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--without", nargs="*", default=[], choices=list(KINDS), help="of noise")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    draws = np.random.default_rng([options.seed, 0])
    sounds, others = (clean_sounds(options.release, of, draws) for of in (TRAINED, HELD_OUT))
    print(f"{len(sounds)} clips of {', '.join(TRAINED)}; held out {len(others)} of {HELD_OUT}")
    held_out = {"clean": examples(others, 64, draws, {"none": 1.0}, 100.0)}
    noises = {kind: share for kind, share in KINDS.items() if kind != "none"}
    held_out |= {f"{db} dB": examples(others, 64, draws, noises, db) for db in SNRS}
    held_out["no speech"] = heard(no_speech(draws) for _ in range(64))
    network = Network(UNITS)
    weights = train(network, sounds, held_out, options)
    with replaced(options.weights) as partial:
        partial.write_bytes(safetensors.torch.save(weights))
    print(f"{options.weights}: {4 * sum(map(Tensor.numel, weights.values()))} bytes of weights")


if __name__ == "__main__":
    main()
