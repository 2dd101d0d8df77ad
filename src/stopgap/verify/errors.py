"""What can go wrong while a host is asked. Every one of these ends as the verdict `unknown`, but BadRequest."""


class VerifyError(Exception):
    """Root of this package's exceptions."""


class BadRequest(VerifyError, ValueError):
    """The request does not follow docs/reference/contracts.md §5."""


class HostUnreachable(VerifyError, ConnectionError):
    """No agent answers on the host; the text says why."""


class ConnectionLost(HostUnreachable):
    """An agent had answered and is gone."""


class CommandTimeout(VerifyError, TimeoutError):
    """The host is there, the command did not end in time."""


class Surprise(VerifyError, AssertionError):
    """An exit code or an output that the check did not expect."""
