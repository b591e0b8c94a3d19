"""``python -m langid`` and the ``langid`` command."""

import sys


def main() -> int:
    """Run the command line and return its exit code, also of Ctrl-C while modules are imported."""
    try:
        from langid.commands.main import main as run
    except KeyboardInterrupt:
        print("langid: interrupted; nothing has begun", file=sys.stderr)
        return 130
    return run()


if __name__ == "__main__":
    sys.exit(main())
