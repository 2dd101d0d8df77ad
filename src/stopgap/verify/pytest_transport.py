"""A pytest session with `--hosts=stopgap://…`: Ansible is asked once, also for xdist's workers."""

import json
from collections.abc import Generator
from typing import Any

import pytest
from testinfra.backend import parse_hostspec

from stopgap.verify.errors import BadRequest, HostUnreachable
from stopgap.verify.hostspecs import slow_hosts
from stopgap.verify.outcome import Unknown
from stopgap.verify.site_backend import NAME, SiteBackend


class Transport:
    def __init__(self, config: pytest.Config):
        self._config = config
        self._reach = SiteBackend.reach

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        """Here a pattern without hosts is still a usage error."""
        if hasattr(self._config, "workerinput"):
            self._reach.hear([tuple(one) for one in json.loads(self._config.workerinput["stopgap_reach"])])
            return
        self._ask()

    def _ask(self) -> None:
        option = self._config.getoption
        for spec in (option("hosts") or "all").split(","):
            host, own = parse_hostspec(spec)
            if own.get("connection", option("connection")) == NAME:
                try:
                    self._reach.hosts(host or "all", own.get("ansible_inventory", option("ansible_inventory")))
                except BadRequest as error:
                    raise pytest.UsageError(str(error)) from None

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """xdist starts a worker; what it is told goes through a pipe."""
        self._ask()
        node.workerinput["stopgap_reach"] = json.dumps(self._reach.told())

    def pytest_report_collectionfinish(self) -> list[str]:
        if self._config.pluginmanager.hasplugin("stopgap_proof") or hasattr(self._config, "workerinput"):
            return []  # it is told already
        return slow_hosts({host: told for *_, hosts in self._reach.told() for host, told in hosts.items()})

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, None, None]:
        """A host that does not answer is told before its test begins: an error, and no failure of what was asked."""
        yield
        backend = getattr(getattr(item, "funcargs", {}).get("host"), "backend", None)
        if isinstance(backend, SiteBackend):
            try:
                backend.connect()
            except HostUnreachable as error:
                raise Unknown(f"{backend.get_hostname()}: unreachable: {error}", pytrace=False) from None

    def pytest_sessionfinish(self) -> None:
        self._reach.close()
