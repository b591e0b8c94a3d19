"""``python -m langid``: the same as the ``langid`` command."""

import sys

from langid.commands.main import main

sys.exit(main())
