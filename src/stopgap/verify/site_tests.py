"""A site's own test_*.py, run by pytest over one connection a host, one host after the other."""

import io
import os
import shlex
from collections.abc import Generator, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from stopgap.verify.backend import AgentHost
from stopgap.verify.errors import VerifyError
from stopgap.verify.verdict import Word, clean

Item = dict[str, Any]
FAILURES = (AssertionError, pytest.fail.Exception)


def run_site_tests(files: list[str], hosts: dict[str, AgentHost]) -> dict[str, list[Item]]:
    """Each test becomes a check of the host it ran for; a test without `host` counts for every one of them."""
    plugin = SiteTests(hosts, files)
    output = io.StringIO()
    arguments = ["-c", os.devnull, "--rootdir", os.curdir, "--import-mode=importlib", "-q", "-p", "no:cacheprovider"]
    arguments += ["-o", f"pythonpath={shlex.join(dict.fromkeys(map(_import_folder, files)))}"]
    with no_options_of_the_shell(), redirect_stdout(output), redirect_stderr(output):
        code = pytest.main([*arguments, "-p", "no:pytest11.testinfra", *files], plugins=[plugin])
    if plugin.is_stopped or code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        word = getattr(code, "name", f"exit code {code}")
        plugin.add(None, "tests", "unknown", f"pytest: {word}: {output.getvalue()[-300:]}", 0.0)
    return plugin.results


def _import_folder(file: str) -> str:
    """Where what lies beside a test is imported from, as pytest has it for files of different names."""
    path = Path(file).absolute()
    folder = path if path.is_dir() else path.parent
    while (folder / "__init__.py").exists():
        folder = folder.parent
    return str(folder)


@contextmanager
def no_options_of_the_shell() -> Iterator[None]:
    """`-k` or `-x` in there would leave tests out, `-n` all of them: what did not run must not count as proven."""
    kept = os.environ.pop("PYTEST_ADDOPTS", None)
    try:
        yield
    finally:
        if kept is not None:
            os.environ["PYTEST_ADDOPTS"] = kept


class SiteTests:
    def __init__(self, hosts: dict[str, AgentHost], files: list[str]):
        self.hosts = hosts
        self.named = {Path(file).absolute() for file in files}
        self.results: dict[str, list[Item]] = {name: [] for name in hosts}
        self.is_stopped = False

    @pytest.fixture(scope="module")
    def host(self, _stopgap_host: str) -> Iterator[AgentHost]:
        """As long-lived as testinfra's, or a site's own fixtures could not ask for it. No host's outlives its tests."""
        host = self.hosts[_stopgap_host]
        host.backend.connect()
        yield host
        host.backend.close()

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        if "host" in metafunc.fixturenames:
            metafunc.parametrize("_stopgap_host", list(self.hosts), scope="session")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        if name := _host_of(item):
            self.hosts[name].backend.start_clock()

    def pytest_keyboard_interrupt(self) -> None:
        """`pytest.exit` of a site's own, too, which chooses the exit code."""
        self.is_stopped = True

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if report.when == "call" or not report.passed:
            test = f"{item.path.name}::{item.name}"
            self.add(_host_of(item), test, _word(report, call), _reason(report, call), report.duration)
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        report = yield
        test = report.nodeid or collector.path.name  # pytest has no id for a file that lies elsewhere
        if not report.passed:  # skipped as a whole, too, which is told with its place
            why = report.longrepr[-1] if isinstance(report.longrepr, tuple) else report.longreprtext
            self.add(None, test, "unknown", why[-300:], 0.0)
        elif not report.result and collector.path in self.named:
            self.add(None, test, "unknown", "there is no test in it", 0.0)
        return report

    def add(self, host: str | None, test: str, word: Word, reason: str, seconds: float) -> None:
        item = {"id": clean(f"test:{test}", 200), "type": "test", "verdict": word, "reason": clean(reason)}
        for name in [host] if host else self.hosts:
            self.results[name].append({**item, "seconds": round(seconds, 3)})


def _host_of(item: pytest.Item) -> str | None:
    callspec = getattr(item, "callspec", None)
    return callspec.params.get("_stopgap_host") if callspec else None


def _word(report: pytest.TestReport, call: pytest.CallInfo[None]) -> Word:
    """Only an assertion of the test's own body is a failure: all else is no answer."""
    if report.when != "call" or report.skipped or hasattr(report, "wasxfail"):
        return "unknown"
    if report.passed:
        return "pass"
    error = call.excinfo.value if call.excinfo else AssertionError()  # passed, and was expected to fail
    return "fail" if isinstance(error, FAILURES) and not isinstance(error, VerifyError) else "unknown"


def _reason(report: pytest.TestReport, call: pytest.CallInfo[None]) -> str:
    return "passed" if report.passed else str(call.excinfo.value) if call.excinfo else report.longreprtext
