"""A ledger of the test's own, and the command as a user types it."""

from tests.unit.ledger.conftest import state  # noqa: F401
from tests.unit.risk.conftest import no_policy, record, stopgap  # noqa: F401
