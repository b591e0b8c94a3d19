"""Lay out a folder to give to others, as the Hugging Face hub takes it.

It holds model.safetensors (the weights), config.json (all else, without your folders), model.onnx
where the network can be exported, and README.md, the model card, with the figures of report= in it.
Every checkpoint= and langid.load take the folder, and nothing in it can run code. Weights of a
frozen encoder are not in it: its name, revision and SHA-256 are. The licence is yours to add.

Examples:
  langid share checkpoint=gru/checkpoints/best.ckpt output=shared report=gru/test/report.json
  langid share checkpoint=calibrated.ckpt output=shared audio=clip.wav
"""

from shlex import quote

from omegaconf import DictConfig

from langid.commands.paths import listed, path_of
from langid.terminal import print_named


def run(config: DictConfig) -> None:
    """Write the folder, and print what is in it and how it is given away."""
    from langid.sharing.folder import share
    from langid.training.checkpoint import load_identifier

    output = path_of(config.output)
    identifier = load_identifier(path_of(config.checkpoint))
    report = None if config.report is None else path_of(config.report)
    audio = None if config.audio is None else listed(config.audio)
    reason = share(identifier, output, report, audio)
    for path in sorted(output.iterdir()):
        print_named(file=f"{path}  ({path.stat().st_size / 1e6:.2f} MB)")
    if reason:
        print_named(onnx=f"none: {reason}")
    print_named(load=f"langid.load({str(output)!r})")
    print_named(next=f"hf upload OWNER/NAME {quote(str(output))}")
