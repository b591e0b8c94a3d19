"""Bring pages from beside docs/ into the site, where links find them as they do in a clone."""

from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
BESIDE = (
    "experiments/**/*.md",
    "experiments/**/*.png",
    "experiments/*/expected.yaml",
    "benchmarks/README.md",
    "notebooks/*.ipynb",
)


def on_files(files: Files, config: Any) -> Files:
    """Add the pages, pictures and notebooks of other folders, at the same places."""
    for pattern in BESIDE:
        for path in sorted(ROOT.glob(pattern)):
            place = path.relative_to(ROOT).as_posix()
            files.append(File.generated(config, place, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Let links out of docs/ lead to where those files are in the site."""
    beside = page.file.src_uri.startswith(tuple(f"{name.split('/')[0]}/" for name in BESIDE))
    return markdown if beside else markdown.replace("](../", "](")
