"""The command line of a benchmark, and --quick, which takes seconds and judges no speed."""

import argparse
from typing import Any


class CommandLine(argparse.ArgumentParser):
    """Options of a benchmark; ``quick`` are the defaults that some of them have under --quick."""

    def __init__(self, description: str | None, **quick: Any):
        super().__init__(
            description=description, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        self.quick = quick
        self.add_argument(
            "--quick",
            action="store_true",
            help="run through all of it in seconds, by small sizes: limits are printed, not judged",
        )

    def options(self) -> argparse.Namespace:
        """Return the options as given; a wrong one ends the process with a message and 2."""
        if self.parse_known_args()[0].quick:
            self.set_defaults(**self.quick)
        return self.parse_args()
