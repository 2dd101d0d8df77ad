"""A promise about the ledger is kept on both of its databases."""

from tests.unit.ledger.conftest import state

__all__ = ["state"]
