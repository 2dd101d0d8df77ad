"""The options of `pytest --remedy CVE-… --hosts=…`. Every pytest run of this Python loads this: it imports nothing."""

import sys
from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("stopgap", "proof that a remedy is in effect")
    group.addoption(
        "--remedy",
        action="append",
        dest="stopgap_remedies",
        metavar="ID[,ID]",
        help="check this remedy on each of testinfra's --hosts; may be repeated",
    )
    group.addoption(
        "--remedy-path",
        action="append",
        default=[],
        type=Path,
        dest="stopgap_remedy_path",
        metavar="DIR",
        help="look for remedies here first",
    )
    group.addoption(
        "--phase",
        choices=("fix", "mitigation"),
        default="fix",
        dest="stopgap_phase",
        help="what has to be in effect: the fix (default) or the mitigation",
    )


def pytest_configure(config: pytest.Config) -> None:
    testinfra = sys.modules.get("testinfra.backend")  # its plugin has loaded it; a table is all the registry it has
    if testinfra:
        testinfra.BACKENDS.setdefault("stopgap", "stopgap.verify.site_backend.SiteBackend")
    if "stopgap://" in (config.getoption("hosts", None) or "") or config.getoption("connection", None) == "stopgap":
        from stopgap.verify.pytest_transport import Transport

        config.pluginmanager.register(Transport(config), "stopgap_transport")
    if config.getoption("stopgap_remedies"):
        from stopgap.verify.pytest_hosts import ask

        hosts = ask(config)  # Ansible needs as long to answer as we do to import the rest
        from stopgap.verify import pytest_fixtures
        from stopgap.verify.pytest_session import NAME, Proof

        config.pluginmanager.register(Proof(config, hosts), NAME)
        config.pluginmanager.register(pytest_fixtures)
