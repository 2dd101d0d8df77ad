"""What can go wrong with feeds, policies and questions about risk, in sentences for people."""


class RiskError(Exception):
    """Root of this package's errors."""


class BadFeed(RiskError, ValueError):
    """A feed does not hold what it should, or is not to be taken in place of the one that is kept."""


class FeedUnavailable(RiskError, OSError):
    """A feed's file or URL cannot be read."""


class InvalidPolicy(RiskError, ValueError):
    """A site's policy file cannot be read or is wrong; one `FILE:LINE: message` a line."""


class UnknownCase(RiskError, LookupError):
    """The ledger has no such host, or no case of that vulnerability on it."""
