"""A site's own test_*.py, run by pytest over one connection a host, one host after the other."""

import io
import os
from collections.abc import Generator
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

import pytest

from stopgap.verify.backend import AgentHost
from stopgap.verify.errors import VerifyError
from stopgap.verify.verdict import Word, clean

Item = dict[str, Any]


def run_site_tests(files: list[str], hosts: dict[str, AgentHost]) -> dict[str, list[Item]]:
    """Each test becomes a check of the host it ran for; a test without `host` counts for every one of them."""
    plugin = SiteTests(hosts)
    output = io.StringIO()
    arguments = ["-c", os.devnull, "--rootdir", os.curdir, "--import-mode=importlib", "-q", "-p", "no:cacheprovider"]
    with redirect_stdout(output), redirect_stderr(output):
        code = pytest.main([*arguments, "-p", "no:pytest11.testinfra", *files], plugins=[plugin])
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        plugin.add(None, "tests", "unknown", f"pytest: {pytest.ExitCode(code).name}: {output.getvalue()[-300:]}", 0.0)
    return plugin.results


class SiteTests:
    def __init__(self, hosts: dict[str, AgentHost]):
        self.hosts = hosts
        self.results: dict[str, list[Item]] = {name: [] for name in hosts}
        self._latest: AgentHost | None = None

    @pytest.fixture
    def host(self, _stopgap_host: str) -> AgentHost:
        host = self.hosts[_stopgap_host]
        if self._latest is not host:  # pytest runs all tests of a host before the next one's
            if self._latest:
                self._latest.backend.close()
            self._latest = host
        host.backend.connect()
        host.backend.start_clock()
        return host

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        if "host" in metafunc.fixturenames:
            metafunc.parametrize("_stopgap_host", list(self.hosts), scope="session")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if report.when == "call" or not report.passed:
            callspec = getattr(item, "callspec", None)
            name = callspec.params.get("_stopgap_host") if callspec else None
            self.add(
                name, f"{item.path.name}::{item.name}", _word(report, call), _reason(report, call), report.duration
            )
        return report

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.add(None, report.nodeid, "unknown", report.longreprtext[-300:], 0.0)

    def add(self, host: str | None, test: str, word: Word, reason: str, seconds: float) -> None:
        item = {"id": clean(f"test:{test}", 200), "type": "test", "verdict": word, "reason": clean(reason)}
        for name in [host] if host else self.hosts:
            self.results[name].append({**item, "seconds": round(seconds, 3)})


def _word(report: pytest.TestReport, call: pytest.CallInfo[None]) -> Word:
    """Only an assertion of the test's own body is a failure: all else is no answer."""
    if report.when != "call" or report.skipped or hasattr(report, "wasxfail"):
        return "unknown"
    if report.passed:
        return "pass"
    return "unknown" if call.excinfo and isinstance(call.excinfo.value, VerifyError) else "fail"


def _reason(report: pytest.TestReport, call: pytest.CallInfo[None]) -> str:
    return "passed" if report.passed else str(call.excinfo.value) if call.excinfo else report.longreprtext
