"""The one exception that a command shows to its user without a traceback."""


class LangidError(Exception):
    """A mistake in the input that its user can mend.

    The message names the file, row or key, what was found, what is accepted and what to do.
    """
