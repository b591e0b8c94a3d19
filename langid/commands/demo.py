"""Hear speech in the browser: a page of this machine alone that runs the exported file.

Microphone or file, a bar per language, the timeline, time to decision and real-time factor. The
page, its runtime and the model come from here; no sound leaves the browser. Ctrl+C ends it.

Examples:
  langid demo model=model.onnx
  langid demo model=model.onnx port=0
"""

from pathlib import Path

from omegaconf import DictConfig

from langid.demo.server import PageServer


def run(config: DictConfig) -> None:
    """Serve the page until Ctrl+C."""
    with PageServer(Path(str(config.model)), config.port) as server:
        print(f"open {server.url} in a browser; Ctrl+C ends", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:  # the one way to end it, and so no failure
            print()
