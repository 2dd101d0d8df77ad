"""Answers checks for whoever asks them one at a time, as pytest does: the hosts are asked ahead, all at once."""

import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple

from stopgap.verify.backend import AgentHost, open_host
from stopgap.verify.context import Context
from stopgap.verify.runner import run_check

Item = dict[str, Any]
FORKS = 20  # hosts at a time
TIMEOUT = 30.0  # seconds for all commands of a check, and what a host has to let us in


class Question(NamedTuple):
    """`check` is a typed item; `number` tells two equal ones of a plan apart."""

    host: str
    context: Context
    check: Item
    number: int

    @property
    def key(self) -> tuple[str, str, int]:
        return self.host, self.context.remedy["id"], self.number


class Prover:
    """One connection a host, used by one thread at a time. Each is a process: never many more than FORKS are open."""

    def __init__(self, connections: dict[str, dict[str, Any]], timeout: float = TIMEOUT):
        self.connections = connections
        self._timeout = timeout
        self._hosts: dict[str, AgentHost] = {}
        self._kept: list[str] = []  # hosts whose connection somebody may want again, the latest last
        self._locks = {name: threading.Lock() for name in connections}
        self._ahead: dict[tuple[str, str, int], Future[Item]] = {}
        self._pool: ThreadPoolExecutor | None = None
        self._stopped = False

    @contextmanager
    def on(self, name: str) -> Iterator[AgentHost]:
        """For the session's own thread."""
        with self._alone_with(name) as host:
            yield host
        self._kept = [*(one for one in self._kept if one != name), name]
        if len(self._kept) > FORKS:
            with self._alone_with(self._kept.pop(0)) as host:
                host.backend.close()

    @contextmanager
    def _alone_with(self, name: str) -> Iterator[AgentHost]:
        with self._locks[name]:
            if name not in self._hosts:
                self._hosts[name] = open_host(name, self.connections[name], self._timeout)
            yield self._hosts[name]

    def ask_ahead(self, questions: Iterable[Question]) -> None:
        """In the background: each host its questions in their order. Only once."""
        by_host: dict[str, list[tuple[Question, Future[Item]]]] = {}
        for one in questions:
            future: Future[Item] = Future()
            self._ahead[one.key] = future
            by_host.setdefault(one.host, []).append((one, future))
        self._pool = ThreadPoolExecutor(max(1, min(FORKS, len(by_host))))
        for asked in by_host.values():
            self._pool.submit(self._ask_all, asked)

    @property
    def is_asking(self) -> bool:
        return self._pool is not None

    def answer(self, question: Question) -> Item:
        """The check's result as `python -m stopgap.verify` has it; asks the host where that was not done ahead.

        An answer is given once: who asks again, as a plugin that repeats tests does, asks the host again.
        """
        ahead = self._ahead.pop(question.key, None)
        return ahead.result() if ahead else self._ask(question)

    def stop(self) -> None:
        """Nothing more is asked; what is being asked now ends in its own time."""
        self._stopped = True

    def close(self) -> None:
        self.stop()
        if self._pool:
            self._pool.shutdown(cancel_futures=True)
        for host in self._hosts.values():
            host.backend.close()
        self._hosts = {}

    def _ask_all(self, questions: list[tuple[Question, Future[Item]]]) -> None:
        with self._alone_with(questions[0][0].host) as host:
            for one, future in questions:
                if self._stopped:
                    break
                try:
                    future.set_result(run_check(host, one.check, one.context))
                except BaseException as error:  # whoever waits for this answer has to hear of it
                    future.set_exception(error)
            host.backend.close()

    def _ask(self, question: Question) -> Item:
        with self.on(question.host) as host:
            return run_check(host, question.check, question.context)
