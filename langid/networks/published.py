"""Networks of published baselines whose layers no other network here has.

Sizes are those of the authors' code where it gives them; what had to be chosen each class says.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from langid.errors import check_least
from langid.networks.cnn import check_channels
from langid.networks.head import Head
from langid.networks.network import UtteranceNetwork
from langid.networks.padding import frame_mask, last_frame, norm_frames, real_frames


def fixed_length(features: Tensor, lengths: Tensor, frames: int) -> Tensor:
    """``features (batch, time, bins), lengths (batch,) -> (batch, frames, bins)``, cut or filled.

    Behind the end of each utterance stand zeros, whatever the batch holds.
    """
    features = nn.functional.pad(features, (0, 0, 0, frames - features.shape[1]))
    return features.masked_fill(~frame_mask(lengths, frames).unsqueeze(-1), 0.0)


class FixedLength(UtteranceNetwork):
    """Convolutions over an image of ``frames`` by bins, and a head that sees all of it at once.

    Raises ValueError where frames or bins are fewer than the ``least`` that pooling leaves any of.
    """

    convolutions: nn.Module
    head: Head

    def __init__(self, bins: int, frames: int, least: int):
        super().__init__()
        if not isinstance(frames, int) or min(frames, bins) < least:
            raise ValueError(
                f"frames={frames} of {bins} bins: accepted are {least} and more of each"
            )
        self.frames = frames

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        image = fixed_length(features, lengths, self.frames).unsqueeze(1)
        return self.head(self.convolutions(image).flatten(1).unsqueeze(1))


class DeepLanguageCNN(FixedLength):
    """Convolution, maximum pooling, convolution and two dense layers over a spectrogram.

    The PyTorch version of github.com/Zoko91/deepLanguage (``main.py``), experiment
    ``deeplanguage_cnn``. Its code leaves all sizes open and writes no activations. Chosen here:
    filters of 3x3 that keep the size, pooling by 4, ReLU behind all layers but the last,
    ``channels``, ``dense``, and as ``frames`` the 5 s of the later version with a hop of 8 ms.
    """

    pooling = 4

    def __init__(
        self,
        bins: int,
        num_classes: int,
        frames: int = 625,
        channels: Sequence[int] = (16, 32),
        dense: int | Sequence[int] = 64,
    ):
        super().__init__(bins, frames, least=self.pooling)
        check_channels(channels)
        if len(channels) != 2:
            raise ValueError(f"channels={channels}: accepted are those of two convolutions")
        self.convolutions = nn.Sequential(
            nn.Conv2d(1, channels[0], 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(self.pooling),
            nn.Conv2d(channels[0], channels[1], 3, padding=1),
            nn.ReLU(),
        )
        size = channels[1] * (frames // self.pooling) * (bins // self.pooling)
        self.head = Head(size, num_classes, dense)


class DeepLanguageMFCC(FixedLength):
    """Three convolutions and a dense layer over 13 MFCC by 157 frames.

    The TensorFlow version of github.com/Zoko91/deepLanguage (``Models/Model4``), which came later
    than ``DeepLanguageCNN``. As in its code: filters of 3x3 that keep the size, ReLU, pooling by 2
    behind all convolutions but the last, batch norm, dropout. Its code leaves nothing open; the L2
    penalty of 1e-3 on the dense layer belongs to the training.
    """

    def __init__(
        self,
        bins: int,
        num_classes: int,
        frames: int = 157,
        channels: Sequence[int] = (64, 128, 256),
        dense: int | Sequence[int] = 512,
        dropout: float = 0.3,
    ):
        check_channels(channels)
        shrink = 2 ** (len(channels) - 1)
        super().__init__(bins, frames, least=shrink)
        layers: list[nn.Module] = []
        for number, width in enumerate(channels):
            before = channels[number - 1] if number else 1
            layers += [nn.Conv2d(before, width, 3, padding=1), nn.ReLU()]
            if number < len(channels) - 1:
                layers.append(nn.MaxPool2d(2))
            layers += [nn.BatchNorm2d(width), nn.Dropout(dropout)]
        self.convolutions = nn.Sequential(*layers)
        size = channels[-1] * (frames // shrink) * (bins // shrink)
        self.head = Head(size, num_classes, dense, dropout=dropout)


class VoiceAgeCNN(FixedLength):
    """Three convolutions over 64 mel bins by 512 frames, and the logits.

    The network of github.com/sqiyan/DLvoiceclassification (``Project_Code_for_GUI.ipynb``),
    experiment ``voice_age_cnn``; its code leaves nothing open. Other than the project's text says,
    ReLU follows the first convolution only. Convolutions keep the size, the one of 2x2 by zeros
    behind. With 64 bins, 512 frames and 6 classes there are 393,182 parameters.
    """

    def __init__(self, bins: int, num_classes: int, frames: int = 512):
        super().__init__(bins, frames, least=4)
        self.convolutions = nn.Sequential(
            nn.Conv2d(1, 32, 3, padding=1),
            nn.ReLU(),
            nn.BatchNorm2d(32),
            nn.MaxPool2d(2, stride=2),
            nn.Conv2d(32, 16, 5, padding=2),
            nn.MaxPool2d(2, stride=1),
            nn.ZeroPad2d((0, 1, 0, 1)),
            nn.Conv2d(16, 8, 2),
            nn.BatchNorm2d(8),
        )
        self.head = Head(8 * (frames // 2 - 1) * (bins // 2 - 1), num_classes, dense=0)


class VoiceAgeTCN(UtteranceNetwork):
    """Dilated causal convolutions over raw samples, an LSTM, and the logits of its last output.

    Frames are samples here: ``features (batch, time, bins)`` are ``time * bins`` of them. The
    network of github.com/sqiyan/DLvoiceclassification (``JunKaiCNN_tcn_v2``), experiment
    ``voice_age_tcn``. As in its code, convolution number i of ``channels`` sees two samples that
    are 2^i apart; behind each stand ReLU and pooling by 2, behind each second one batch norm. With
    6 classes there are 116,854 parameters. Two things differ: convolutions are causal, where the
    code pads half of their reach on either side, so that padding behind an utterance changes
    nothing; and the LSTM runs over time, where the code's took the batch for time.
    """

    def __init__(
        self,
        bins: int,
        num_classes: int,
        channels: Sequence[int] = (8, 8, 16, 16, 32, 32, 64, 64),
        units: int = 128,
    ):
        super().__init__()
        check_channels(channels)
        check_least(1, units=units)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(before, after, 2, dilation=2**number)
            for number, (before, after) in enumerate(zip([1, *channels], channels, strict=False))
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for width in channels[1::2])
        self.lstm = nn.LSTM(channels[-1], units, batch_first=True)
        self.output = nn.Linear(units, num_classes)

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        pooled = 2 ** len(self.convolutions)  # samples that one step of the LSTM stands for
        samples = lengths * features.shape[2]
        frames = max(features.shape[1], -(-pooled // features.shape[2]))  # one step at least
        hidden = fixed_length(features, lengths, frames).flatten(1).unsqueeze(1)
        for number, convolution in enumerate(self.convolutions):
            past = nn.functional.pad(hidden, (2**number, 0))
            hidden = nn.functional.max_pool1d(torch.relu(convolution(past)), 2)
            if number % 2:
                real = real_frames(samples // 2 ** (number + 1), hidden.shape[2])
                hidden = norm_frames(self.norms[number // 2], hidden, real)
        outputs, _ = self.lstm(hidden.transpose(1, 2))
        return self.output(last_frame(outputs, samples // pooled))
