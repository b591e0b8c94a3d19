"""Say where corpora are had, their licences and sizes, and what to type next; nothing is fetched.

Licences want to be read and agreed to, and releases are large: that is left to you.

Examples:
  langid download
  langid download corpus=fleurs
"""

from omegaconf import DictConfig

from langid.corpora.sources import SOURCES
from langid.errors import LangidError


def run(config: DictConfig) -> None:
    """Print what there is to know of a corpus, or of all."""
    if config.corpus is not None and config.corpus not in SOURCES:
        raise LangidError(f"corpus={config.corpus}: accepted are {', '.join(SOURCES)}")
    for name in SOURCES if config.corpus is None else (config.corpus,):
        source = SOURCES[name]
        print(f"{name}: {source.what}")
        print(f"  had at   {source.had}\n  licence  {source.licence}\n  size     {source.size}")
        print("  next     " + "\n           ".join(source.steps), end="\n\n")
    print("Nothing was fetched.")
