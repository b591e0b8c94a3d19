"""Say what this installation has and lacks: paste it into a report of a bug.

Versions, whether they are the tested ones, processors and devices, formats of sound that can be
decoded, microphone, free disk, and what lies in LANGID_DATA and LANGID_MODELS. Where something is
missing that langid needs the last lines say so, with what to do, and the exit code is 1. Nothing is
sent anywhere, and paths below your home folder begin with ~.

Examples:
  langid doctor
  langid doctor output=/scratch/runs
"""

from omegaconf import DictConfig

from langid.commands.paths import path_of


def run(config: DictConfig) -> int:
    """Print the diagnosis, and return whether something is missing."""
    from langid.installation.diagnosis import diagnose

    found = diagnose(path_of(config.output))
    print(found.text)
    return int(bool(found.problems))
