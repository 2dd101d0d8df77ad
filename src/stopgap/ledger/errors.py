"""What can go wrong with the ledger, in sentences for people."""


class LedgerError(Exception):
    """Root of this package's errors."""


class LedgerUnavailable(LedgerError, ConnectionError):
    """The database cannot be reached, opened or written. Spool files stay where they are."""


class LedgerTooNew(LedgerError, RuntimeError):
    """The database was upgraded by a newer stopgap than this one."""


class BadEvent(LedgerError, ValueError):
    """One line of a spool file is not an event of contracts §6."""
