"""Encoders out of files, whose weights are all there, or of a description, without weights."""

import json
import logging
from typing import Any

import torch

from langid.errors import LangidError
from langid.signal.encoder import ENCODERS, Encoder
from langid.signal.encoder_files import EncoderFiles
from langid.signal.torchaudio_loader import load_torchaudio

load_torchaudio()  # before transformers, which imports it
# Whisper's encoder stands under these names in its whole model and in a classifier.
WHISPER_KEYS = {r"^(model\.)?encoder\.": ""}
# Nothing is fetched, and no code beside the weights is run or offered to be.
OWN_CODE: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
EXTRACTORS = ("WhisperFeatureExtractor", "Wav2Vec2FeatureExtractor", "SeamlessM4TFeatureExtractor")
Architecture = dict[str, Any]


def load_encoder(files: EncoderFiles) -> Encoder:
    """Return the encoder of a folder with its weights, which do not learn, in evaluation mode.

    Raises LangidError for what is no encoder of speech, and for weights that are not whole.
    """
    config, extractor = _config(files), _extractor(files)
    kind = ENCODERS[config.model_type]
    if kind.only_rate not in (None, extractor.sampling_rate):
        raise LangidError(
            f"features.encoder={files.name}: preprocessor_config.json: sampling_rate"
            f" {extractor.sampling_rate}; {config.model_type} knows {kind.only_rate} alone"
        )
    encoder = kind(config, extractor, _model(files, config))
    return encoder.eval().requires_grad_(False)


def architecture_of(files: EncoderFiles) -> Architecture:
    """Return all that an encoder is but its weights, as plain data."""
    config, extractor = _config(files), _extractor(files)
    return {
        "config": json.loads(config.to_json_string(use_diff=True)),
        "extractor": json.loads(extractor.to_json_string()),
    }


def empty_encoder(architecture: Architecture) -> Encoder:
    """Return an encoder of what ``architecture_of`` gave; its weights are yet to be taken over.

    Raises LangidError where it is not that.
    """
    import transformers

    try:
        config = dict(architecture["config"])
        extractor = dict(architecture["extractor"])
        kind, made = config.pop("model_type"), extractor["feature_extractor_type"]
        if kind not in ENCODERS or made not in EXTRACTORS:
            raise KeyError(f"{kind}, {made}")
        held = transformers.AutoConfig.for_model(kind, **config)
        takes: Any = getattr(transformers, made)
        return ENCODERS[kind](held, takes.from_dict(extractor), _model_of(held)(held))
    except Exception as error:  # what was changed by hand can be wrong anywhere
        raise LangidError(f"network.architecture: {type(error).__name__}: {error}") from error


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


def _extractor(files: EncoderFiles) -> Any:
    """Return what tells how an encoder's inputs are made of samples."""
    import transformers

    kind: Any = transformers.AutoFeatureExtractor
    try:
        return kind.from_pretrained(files.folder, **OWN_CODE)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise LangidError(
            f"features.encoder={files.name}: preprocessor_config.json: {reason}"
        ) from error


def _model_of(config: Any) -> Any:
    import transformers

    if config.model_type == "whisper":
        return transformers.models.whisper.modeling_whisper.WhisperEncoder
    kind: Any = transformers.AutoModel
    return kind.from_config


def _model(files: EncoderFiles, config: Any) -> Any:
    """Return the model with its weights, which are all there."""
    import transformers

    logging.getLogger("transformers").setLevel(logging.ERROR)
    quiet: Any = transformers.utils.logging
    quiet.disable_progress_bar()
    whisper = config.model_type == "whisper"
    kind: Any = _model_of(config) if whisper else transformers.AutoModel
    try:
        model, told = kind.from_pretrained(
            files.folder,
            use_safetensors=True,
            **OWN_CODE,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are told, and refused below
            dtype=torch.float32,
            **({"key_mapping": WHISPER_KEYS} if whisper else {}),
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
    return model
