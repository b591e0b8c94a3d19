"""Where corpora are had, under which licence, how large they are, and what to do next."""

from typing import NamedTuple


class Source(NamedTuple):
    """What there is to know before a corpus is fetched: by its own publisher, and by hand."""

    what: str
    had: str
    licence: str
    size: str
    steps: tuple[str, ...]


SOURCES = {
    "common_voice": Source(
        "Mozilla Common Voice: read sentences, by volunteers, in more than a hundred languages",
        "https://datacollective.mozillafoundation.org, the only place since October 2025; it needs"
        " an account, and a consent for each release",
        "CC0 1.0; its terms forbid attempts to find out who a speaker is",
        "by locale: English 94 GB and 1.1 million clips (2,752 validated hours in release 25),"
        " Mandarin (zh-CN) 239 hours, Hindi 16",
        (
            "fetch the archive of each locale there; it need not be unpacked",
            "langid prepare corpus=common_voice 'corpus.root=[EN.tar.gz,HI.tar.gz]' store=cv.h5",
        ),
    ),
    "fleurs": Source(
        "FLEURS: about 2,000 read sentences, the same in 102 languages",
        "https://huggingface.co/datasets/google/fleurs, without an account",
        "CC BY 4.0",
        "about 10 hours of training speech a language, at 16 kHz",
        (
            "pip install huggingface_hub",
            "hf download google/fleurs --repo-type dataset --local-dir fleurs"
            " --include 'data/en_us/*'  # and so with hi_in, cmn_hans_cn, ...",
            "langid prepare corpus=fleurs corpus.root=fleurs store=fleurs.h5",
        ),
    ),
    "voxlingua107": Source(
        "VoxLingua107: speech of videos in 107 languages, labelled by search phrases",
        "https://bark.phon.ioc.ee/voxlingua107/, a zip for each language, and dev.zip",
        "CC BY 4.0 for the collection; the videos remain their owners'",
        "6,628 hours in all, 62 a language on average: about 7 GB each, as 16 kHz WAV",
        (
            "wget -P voxlingua107 https://bark.phon.ioc.ee/voxlingua107/{en,hi,zh,dev}.zip",
            "langid prepare corpus=voxlingua107 corpus.root=voxlingua107 store=vox.h5",
        ),
    ),
    "folders": Source(
        "your own speech, or any that is sorted into one folder per language",
        "it is yours",
        "yours",
        "any",
        ("langid prepare corpus=folders corpus.root=DIR store=own.h5",),
    ),
    "manifest": Source(
        "your own speech, or any with a table: TSV, CSV, JSON lines, Kaldi, lhotse, NeMo",
        "it is yours",
        "yours",
        "any",
        (
            "langid prepare corpus=manifest corpus.path=TABLE.csv corpus.label=COLUMN store=own.h5",
            "langid prepare corpus=manifest corpus.path=DIR corpus.format=kaldi store=own.h5",
        ),
    ),
}
