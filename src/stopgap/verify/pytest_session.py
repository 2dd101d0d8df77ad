"""One pytest session with `--remedy`: the checks of remedies as test items, unknown as an outcome of its own."""

import json
import os
import re
import sys
from collections.abc import Generator, Iterable, Iterator
from functools import lru_cache
from typing import Any

import pytest

from stopgap.remedy import RemedyError, resolve, search_path
from stopgap.verify.context import Context
from stopgap.verify.errors import BadRequest, VerifyError
from stopgap.verify.hostspecs import Hosts, slow_hosts
from stopgap.verify.outcome import Unknown
from stopgap.verify.prover import Prover, Question
from stopgap.verify.runner import name_of, plan
from stopgap.verify.verdict import clean

Remedy = dict[str, Any]
NAME = "stopgap_proof"  # of the plugin, for who asks pytest for it
PROPERTIES = (("check", "id"), ("verdict", "verdict"), ("reason", "reason"))  # JUnit's name, and ours
NO_CHECK = {"type": "no check", "params": {}}


class Proof:
    """The plugin of such a session. Under xdist the controller resolves everything once and tells its workers."""

    def __init__(self, config: pytest.Config, hosts: Hosts | None):
        self._config = config
        self._hosts = hosts
        self._resolved: tuple[list[Remedy], Prover] | None = None
        self.is_worker = hasattr(config, "workerinput")
        if config.args_source is not pytest.Config.ArgsSource.ARGS:
            config.args = []  # no test file was named: the checks are all that is wanted

    @property
    def node_id(self) -> str:
        """`stopgap` in the folder where pytest was started, as test files have theirs: from the root folder down."""
        here, root = self._config.invocation_params.dir, self._config.rootpath
        return (here.relative_to(root) / "stopgap").as_posix() if here.is_relative_to(root) else "stopgap"

    # --- what is asked, and of whom

    @property
    def remedies(self) -> list[Remedy]:
        return self._all()[0]

    @property
    def prover(self) -> Prover:
        return self._all()[1]

    def _all(self) -> tuple[list[Remedy], Prover]:
        if self._resolved is None:
            told = self._told_by_controller() if self.is_worker else self._resolve()
            self._resolved = told["remedies"], Prover(told["connections"])
        return self._resolved

    def _told_by_controller(self) -> dict[str, Any]:
        return json.loads(self._config.workerinput["stopgap"])  # type: ignore[attr-defined, no-any-return]

    def _resolve(self) -> dict[str, Any]:
        option = self._config.getoption
        ids = ",".join(option("stopgap_remedies")).replace(",", " ").split()
        if not ids or not self._hosts:
            raise pytest.UsageError("--remedy needs an id and --hosts: --remedy CVE-2024-6387 --hosts=ansible://all")
        try:
            remedies = resolve(ids, search_path(option("stopgap_remedy_path")))
            found = self._hosts.connections()
        except (RemedyError, BadRequest, FileNotFoundError) as error:
            raise pytest.UsageError(str(error)) from None
        return {"remedies": remedies, "connections": found}

    def questions(self) -> Iterator[Question]:
        by_id = {remedy["id"]: remedy for remedy in self.remedies}
        phase = self._config.getoption("stopgap_phase")
        for host in self.prover.connections:
            for remedy_id in by_id:
                _head, remedy, checks = plan(by_id, {"remedy": remedy_id, "phase": phase})
                context = Context(remedy, phase)
                for number, check in enumerate(checks or [NO_CHECK]):
                    yield Question(host, context, check, number)

    # --- what pytest calls

    def pytest_report_collectionfinish(self) -> list[str]:
        return [] if self.is_worker else slow_hosts(self.prover.connections)

    def pytest_collection(self) -> None:
        self._all()  # here a bad option is still a usage error

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """xdist starts a worker; what it is told goes through a pipe."""
        node.workerinput["stopgap"] = json.dumps({"remedies": self.remedies, "connections": self.prover.connections})

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        report = yield
        if isinstance(collector, pytest.Session) and report.passed:
            report.result.append(Checks.from_parent(collector, name="stopgap", nodeid=self.node_id, proof=self))
        return report

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        if "_stopgap_remedy" in metafunc.fixturenames:
            ids = [remedy["id"] for remedy in self.remedies]
            metafunc.parametrize("_stopgap_remedy", self.remedies, ids=ids, scope="module", indirect=True)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if report.failed and call.excinfo and isinstance(call.excinfo.value, Unknown | VerifyError):
            vars(report)["stopgap_unknown"] = str(call.excinfo.value)  # it travels with the report, from workers too
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(
        self, report: pytest.CollectReport | pytest.TestReport
    ) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
        if hasattr(report, "stopgap_unknown"):
            return "unknown", "U", ("UNKNOWN", {"yellow": True})
        return None

    def pytest_terminal_summary(self, terminalreporter: "pytest.TerminalReporter") -> None:
        reports = terminalreporter.getreports("unknown")
        if reports:
            terminalreporter.write_sep("=", "unknown: neither proven nor refuted", yellow=True, bold=True)
        for report in reports:
            terminalreporter.write_line(f"{report.nodeid.removeprefix(f'{self.node_id}::')}: {report.stopgap_unknown}")

    def pytest_collection_finish(self) -> None:
        """Hypothesis imports itself for its report, for half a second, also where nobody has asked for it by now."""
        if "hypothesis" not in sys.modules:
            self._config.pluginmanager.unregister(name="hypothesispytest")

    def pytest_sessionfinish(self) -> None:
        if self._resolved:
            self.prover.close()

    def pytest_unconfigure(self) -> None:
        if self._hosts:
            self._hosts.drop()


class Checks(pytest.Collector):
    """Stands beside the test files of the session."""

    def __init__(self, *, proof: Proof, **node: Any):
        super().__init__(**node)
        self._proof = proof

    def collect(self) -> Iterable[pytest.Item]:
        seen: dict[str, int] = {}
        for question in self._proof.questions():
            name = f"{question.host} {question.context.remedy['id']} {question.context.phase} {_check_name(question)}"
            seen[name] = seen.get(name, 0) + 1
            if seen[name] > 1:
                name = f"{name} ({seen[name]})"
            yield CheckItem.from_parent(self, name=name, question=question, proof=self._proof)


class CheckItem(pytest.Item):
    """The host is asked in setup, so that no answer is an error and not a failure; the test is whether it says pass."""

    def __init__(self, *, question: Question, proof: Proof, **node: Any):
        super().__init__(**node)
        self.question = question
        self._proof = proof
        self._problem = ""
        if self.config.pluginmanager.hasplugin("xdist"):
            self.add_marker(pytest.mark.xdist_group(question.host))

    def setup(self) -> None:
        if self.question.check is NO_CHECK:
            raise Unknown("the remedy has no check for this phase", pytrace=False)
        prover = self._proof.prover
        if not (prover.is_asking or self._proof.is_worker):  # a worker does not know which of the items are its own
            prover.ask_ahead(
                item.question
                for item in self.session.items
                if isinstance(item, CheckItem) and item.question.check is not NO_CHECK
            )
        result = prover.answer(self.question)
        self.user_properties += properties(*(result[key] for _name, key in PROPERTIES))
        if result["verdict"] == "unknown":
            raise Unknown(result["reason"], pytrace=False)
        self._problem = "" if result["verdict"] == "pass" else result["reason"]

    def runtest(self) -> None:
        if self._problem:
            pytest.fail(self._problem, pytrace=False)

    def reportinfo(self) -> tuple[os.PathLike[str], None, str]:
        # The colon keeps pytest from taking the name for a dotted path.
        host, _space, rest = self.name.partition(" ")
        return self.path, None, f"{host}: {rest}"


@lru_cache(1024)
def properties(*values: str) -> tuple[tuple[str, str], ...]:
    """Most hosts give the same answers: they are kept once."""
    return tuple((name, value) for (name, _key), value in zip(PROPERTIES, values, strict=True))


def _check_name(question: Question) -> str:
    """The check's id, where it has nothing that pytest or JUnit would split: `tcp://: : :22`. Its property is exact."""
    if question.check is NO_CHECK:
        return "no check"
    exact = name_of(question.check["type"], question.check["params"])
    return re.sub(":(?=:)", ": ", clean(exact, 200)).translate(str.maketrans("[]", "()"))
