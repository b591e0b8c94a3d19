"""Hidden states of a frozen pretrained encoder of speech as features."""

import logging
import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from langid.errors import LangidError
from langid.signal.encoder_files import EncoderFiles, found_files
from langid.signal.features import Features
from langid.signal.torchaudio_loader import load_torchaudio

LONGEST_S = 30.0  # what Whisper hears at most, and what memory bears of the others
OVERLAP_S = 2.0  # of windows of a longer clip
# Whisper's encoder stands under these names in its whole model and in a classifier.
WHISPER_KEYS = {r"^(model\.)?encoder\.": ""}
load_torchaudio()  # before transformers, which imports it
# Nothing is fetched, and no code beside the weights is run or offered to be.
OWN_CODE: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
ENCODERS = ("whisper", "wav2vec2", "hubert", "wavlm", "wav2vec2-bert")


class Pretrained(Features):
    """Frames of an encoder of ``transformers``, as many a second as it makes (50, mostly).

    ``encoder`` is a folder as ``transformers`` saves one, or a name on the Hugging Face hub whose
    files are in its cache; ``layer`` is ``last`` (what the encoder returns), ``mean`` (of the
    hidden states of all layers), or a number: 0 is what the first layer hears. ``revision`` and
    ``sha256`` tell the weights; others of the same name are refused. Each clip is heard in its own
    length: Whisper's positions are cut, where it is made to hear 30 s, filled up with silence. A
    longer clip is heard in windows of 30 s that overlap by 2 s, of which each gives the frames up
    to the middle of the overlap. The weights are no part of a checkpoint. Raises LangidError where
    they are not there, not whole, or not those of an encoder of speech.
    """

    causal = False

    def __init__(
        self,
        encoder: str,
        layer: str | int = "last",
        revision: str | None = None,
        sha256: str | None = None,
    ):
        super().__init__()
        files = found_files(encoder, revision, sha256)
        config = _config(files)
        count = getattr(config, "encoder_layers", None) or config.num_hidden_layers
        if layer not in ("last", "mean") and not (type(layer) is int and 0 <= layer <= count):
            raise LangidError(
                f"features.layer={layer}: {encoder} has {count} layers; accepted are last, mean and"
                f" 0 to {count}"
            )
        self.layer = layer
        self.bins = int(config.hidden_size)
        self.extractor, hop = _extractor(files, config)
        self.sample_rate, self.hop_samples = int(self.extractor.sampling_rate), hop
        loaded = _load(files, config)
        whisper = config.model_type == "whisper"
        self.positions = loaded.embed_positions.weight.data if whisper else None
        self.held = (loaded,)  # in a tuple, so that its weights are none of this module's

    @property
    def detector_hop_samples(self) -> int:
        """Return 10 ms, for which the settings of detectors are made."""
        return self.sample_rate // 100

    def forward(self, samples: Tensor) -> Tensor:
        """``samples (batch, samples) -> features (batch, time, bins)``; of a length, not padded."""
        encoder = self.held[0].to(samples.device)
        return torch.cat([*self._windows(encoder, samples)], dim=1)

    def _windows(self, encoder: Any, samples: Tensor) -> Iterator[Tensor]:
        """Yield the states of a clip, one window after the other."""
        hop, rate = self.hop_samples, self.sample_rate
        window, edge = (round(seconds * rate / hop) for seconds in (LONGEST_S, OVERLAP_S / 2))
        frames = math.ceil(samples.shape[1] / hop)
        start = 0
        while True:
            heard = samples[:, start * hop : (start + window) * hop]
            ended = start + window >= frames
            states = self._states(encoder, heard)
            yield states[:, edge if start else 0 : None if ended else window - edge]
            if ended:
                return
            start += window - 2 * edge

    def _states(self, encoder: Any, samples: Tensor) -> Tensor:
        filled = torch.nn.functional.pad(samples, (0, -samples.shape[1] % self.hop_samples))
        inputs = self.extractor(
            list(filled.cpu().numpy()),
            sampling_rate=self.sample_rate,
            padding="longest",
            truncation=False,
            return_tensors="pt",
        ).to(samples.device)
        if self.positions is not None:
            frames = filled.shape[1] // self.hop_samples
            encoder.config.max_source_positions = encoder.embed_positions.num_embeddings = frames
            encoder.embed_positions.weight.data = self.positions[:frames].to(samples.device)
        with torch.no_grad():
            said = encoder(**inputs, output_hidden_states=self.layer != "last")
        if self.layer == "last":
            states: Tensor = said.last_hidden_state
            return states
        if self.layer == "mean":
            return torch.stack(said.hidden_states).mean(0)
        return said.hidden_states[int(self.layer)]


def _config(files: EncoderFiles) -> Any:
    """Return what ``transformers`` reads of config.json, of an encoder of speech."""
    from transformers import AutoConfig  # here and below: it takes seconds

    try:
        config = AutoConfig.from_pretrained(files.folder, **OWN_CODE)
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0]
        raise LangidError(f"features.encoder={files.name}: config.json: {reason}") from error
    if config.model_type not in ENCODERS:
        raise LangidError(
            f"features.encoder={files.name}: {config.model_type} is no encoder of speech that"
            f" langid knows; accepted are {', '.join(ENCODERS)} (XLS-R and MMS are wav2vec2)"
        )
    return config


def _extractor(files: EncoderFiles, config: Any) -> tuple[Any, int]:
    """Return what makes an encoder's inputs of samples, and the samples of one of its frames."""
    import transformers

    kind: Any = transformers.AutoFeatureExtractor
    try:
        extractor = kind.from_pretrained(files.folder, **OWN_CODE)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise LangidError(
            f"features.encoder={files.name}: preprocessor_config.json: {reason}"
        ) from error
    if config.model_type == "whisper":
        return extractor, 2 * extractor.hop_length
    if config.model_type == "wav2vec2-bert":  # filter banks of 10 ms
        return extractor, extractor.stride * extractor.sampling_rate // 100
    return extractor, math.prod(config.conv_stride)


def _load(files: EncoderFiles, config: Any) -> Any:
    """Return an encoder with its weights, which are all there."""
    import transformers

    logging.getLogger("transformers").setLevel(logging.ERROR)
    quiet: Any = transformers.utils.logging
    quiet.disable_progress_bar()
    kind: Any = transformers.AutoModel
    more: dict[str, Any] = {}
    if config.model_type == "whisper":
        kind = transformers.models.whisper.modeling_whisper.WhisperEncoder
        more["key_mapping"] = WHISPER_KEYS
    try:
        encoder, told = kind.from_pretrained(
            files.folder,
            use_safetensors=True,
            **OWN_CODE,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are told, and refused below
            dtype=torch.float32,
            **more,
        )
    except Exception as error:  # a damaged file can raise about anything
        reason = str(error).splitlines()[0]
        raise LangidError(
            f"features.encoder={files.name}: its weights cannot be read ({reason}); fetch them"
            " again"
        ) from error
    # Some are made anew by transformers where they are not in the file.
    missing = [key for key in told["missing_keys"] if not key.startswith("masked_spec_embed")]
    others = [key for key, *_ in told["mismatched_keys"]]
    if wrong := sorted(missing) + sorted(others):
        raise LangidError(
            f"features.encoder={files.name}: {len(missing)} weights are missing and"
            f" {len(others)} of another shape than config.json says ({', '.join(wrong[:3])}, ...);"
            " fetch its files again"
        )
    return encoder.eval().requires_grad_(False)
