"""Acting on the host `web1` of a module's own lab."""

import pytest

from tests.e2e.acting import Acting


@pytest.fixture(scope="module")
def acting(lab):
    return Acting(lab, "web1")


@pytest.fixture
def mitigate(acting):
    """Whatever a test leaves in force is lifted."""
    yield acting
    acting.lift_all()
