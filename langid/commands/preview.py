"""Show and play what waveform= does to a clip, on a page of its own.

The page holds the clip and what each of some seeds makes of it: sound, waveform, marks of speech,
log-mel spectrum, and what was drawn. It needs no other file.

Examples:
  langid preview waveform=field clip=clip.mp3 output=preview.html
  langid preview waveform=light clip=clip.mp3 output=light.html seeds=8 waveform.gain.db=[-30,0]
"""

from omegaconf import DictConfig

from langid.atomic_file import write_text
from langid.build import build
from langid.commands.configuration import plain_of
from langid.commands.paths import destination, path_of
from langid.errors import LangidError
from langid.terminal import print_named

MOST = 50  # a page of as many seeds has some 20 MB


def run(config: DictConfig) -> None:
    """Write the page."""
    from hydra.core.hydra_config import HydraConfig

    from langid.signal.acoustics.preview import preview

    option = f"waveform={HydraConfig.get().runtime.choices['waveform']}"
    if not 1 <= config.seeds <= MOST:
        raise LangidError(f"seeds={config.seeds}: accepted are 1 to {MOST}")
    if not config.waveform:
        raise LangidError(f"{option}: changes nothing; take waveform=light or field")
    output = destination("output", config.output, ".html", clip=config.clip)
    waveform = build(plain_of(config.waveform), "waveform")
    page = preview(path_of(config.clip), waveform, option, config.seeds)
    write_text(output, page, "output")
    print_named(page=output)
