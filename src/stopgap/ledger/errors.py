"""What can go wrong with the ledger, in sentences for people."""


class LedgerError(Exception):
    """Root of this package's errors."""


class LedgerUnavailable(LedgerError, ConnectionError):
    """The database cannot be reached, opened or written. Spool files stay where they are."""


class NoLedger(LedgerUnavailable):
    """The database is there and holds no ledger, or one whose owner has to upgrade it first."""


class NotAllowed(LedgerError, PermissionError):
    """This user may not do that to the ledger; the message says who may, or what has to be granted."""


class LedgerTooNew(LedgerError, RuntimeError):
    """The database was upgraded by a newer stopgap than this one."""


class BadEvent(LedgerError, ValueError):
    """One line of a spool file is not an event of contracts §6."""


class BadSpool(LedgerError, OSError):
    """The spool, or one file of it, cannot be read or removed. What it says is not lost."""


class BadWord(LedgerError, ValueError):
    """What somebody said at the command line cannot be recorded. Nothing was."""


class NoSuchCase(LedgerError, LookupError):
    """The ledger has no such case, or none that this could be said of."""


class BadExport(LedgerError, ValueError):
    """A file to be imported is not a whole export, or not an honest one. Nothing of it was imported."""


class LedgerBroken(LedgerError, RuntimeError):
    """A chain of this ledger does not hold together: `stopgap ledger verify` says where."""
