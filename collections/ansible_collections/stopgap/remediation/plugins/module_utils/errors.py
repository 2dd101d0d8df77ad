# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""The one root of what the target side can report instead of succeeding. Messages are whole sentences for operators."""


class StopgapError(Exception):
    pass


class JournalError(StopgapError, OSError):
    """The journal cannot be read, written or locked: nothing may be changed."""


class ActionError(StopgapError, RuntimeError):
    """An action cannot be done here, or did not take."""


class Surprise(StopgapError, ValueError):
    """A command answered in a way nobody foresaw: unknown, which is never false."""
