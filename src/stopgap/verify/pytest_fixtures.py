"""What a site's own tests may ask for beside testinfra's `host`, in a pytest session with `--remedy`."""

import os
from typing import Any

import pytest
from testinfra.host import Host

from stopgap.verify import old_code
from stopgap.verify.errors import VerifyError
from stopgap.verify.outcome import Unknown
from stopgap.verify.pytest_session import NAME, Proof

Remedy = dict[str, Any]


@pytest.fixture(scope="module")
def _stopgap_remedy(request: pytest.FixtureRequest) -> Remedy:
    """A test that asks for it runs once for each remedy of the session."""
    remedy: Remedy = request.param
    return remedy


@pytest.fixture(scope="module")
def remedy(_stopgap_remedy: Remedy) -> Remedy:
    """The resolved remedy (contracts.md §2); the test runs once for each that `--remedy` names."""
    return _stopgap_remedy


@pytest.fixture
def case(host: Host, remedy: Remedy) -> dict[str, Any] | None:
    """What the ledger says of this host and remedy, as `stopgap status --json` has it; None if nothing."""
    from stopgap.ledger.case import to_dict  # the database is a quarter second, and most tests do without
    from stopgap.ledger.service import all_cases

    name = host.backend.get_hostname()
    found = all_cases(estate=os.environ.get("STOPGAP_ESTATE", ""), host=name, remedy=remedy["id"])
    if len(found) > 1:
        estates = ", ".join(sorted(one.estate for one in found))
        pytest.fail(f"{name} is in several estates ({estates}): set STOPGAP_ESTATE", pytrace=False)
    return to_dict(found[0]) if found else None


@pytest.fixture
def processes_on_old_code(host: Host, remedy: Remedy, pytestconfig: pytest.Config) -> list[dict[str, Any]]:
    """Those of this host that run code which the remedy's packages have replaced: pid, name, unit, files, sure."""
    proof = pytestconfig.pluginmanager.get_plugin(NAME)
    assert isinstance(proof, Proof)  # noqa: S101 - these fixtures come with it
    name = host.backend.get_hostname()
    if name not in proof.prover.connections:
        raise Unknown(f"no connection to {name}: name it in --hosts", pytrace=False)
    try:
        with proof.prover.on(name) as agent:
            agent.backend.connect()
            agent.backend.start_clock()
            return old_code.of_remedy(agent, remedy)
    except (VerifyError, ValueError) as error:
        raise Unknown(f"{name}: {error}", pytrace=False) from None
