"""Answers checks for whoever asks them one at a time, as pytest does: the hosts are asked ahead, all at once."""

import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any, NamedTuple

from stopgap.verify.backend import AgentBackend, AgentHost, open_host
from stopgap.verify.context import Context
from stopgap.verify.runner import run_check

Item = dict[str, Any]
Key = tuple[str, str, int]
FORKS = 20  # hosts at a time
GRACE = 0.5  # seconds for what is being asked when all ends, and once more for who has been told
TIMEOUT = 30.0  # seconds for all commands of a check, and what a host has to let us in


class Question(NamedTuple):
    """`check` is a typed item; `number` tells two equal ones of a plan apart."""

    host: str
    context: Context
    check: Item
    number: int

    @property
    def key(self) -> Key:
        return self.host, self.context.remedy["id"], self.number


class Prover:
    """One connection a host, used by one thread at a time. Each is a process: never many more than FORKS are open."""

    def __init__(self, connections: dict[str, dict[str, Any]], timeout: float = TIMEOUT):
        self.connections = connections
        self._timeout = timeout
        self._hosts: dict[str, AgentHost] = {}
        self._kept: list[str] = []  # hosts whose connection somebody may want again, the latest last
        self._locks = {name: threading.Lock() for name in connections}
        self._ahead: set[Key] = set()  # what is asked in the background, and has not been fetched
        self._answers: dict[Key, Item | BaseException] = {}
        self._news = threading.Condition()
        self._pool: ThreadPoolExecutor | None = None
        self._work: list[Future[None]] = []  # one a host
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
        by_host: dict[str, list[Question]] = {}
        for one in questions:
            self._ahead.add(one.key)
            by_host.setdefault(one.host, []).append(one)
        self._pool = ThreadPoolExecutor(max(1, min(FORKS, len(by_host))))
        self._work = [self._pool.submit(self._ask_all, asked) for asked in by_host.values()]

    @property
    def is_asking(self) -> bool:
        return self._pool is not None

    def answer(self, question: Question) -> Item:
        """The check's result as `python -m stopgap.verify` has it; asks the host where that was not done ahead.

        An answer is given once: who asks again, as a plugin that repeats tests does, asks the host again.
        """
        key = question.key
        if key not in self._ahead:
            return self._ask(question)
        self._ahead.remove(key)
        with self._news:
            self._news.wait_for(lambda: key in self._answers)
            answer = self._answers.pop(key)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def stop(self) -> None:
        """Nothing more is asked."""
        self._stopped = True

    def close(self) -> None:
        """Whoever still asks a host, as after Ctrl-C or -x, ends within seconds: nobody waits for that answer."""
        self.stop()
        if self._pool:
            self._pool.shutdown(wait=False, cancel_futures=True)
            for end in (AgentBackend.hang_up, AgentBackend.kill):
                if self._is_at_work(GRACE):
                    for host in list(self._hosts.values()):
                        end(host.backend)
            self._pool.shutdown()
        for host in self._hosts.values():
            host.backend.close()
        self._hosts = {}

    def _is_at_work(self, seconds: float) -> bool:
        """Still, after so many seconds."""
        return bool(wait([one for one in self._work if not one.done()], seconds).not_done)

    def _ask_all(self, questions: list[Question]) -> None:
        """The host is forgotten after the last one: its connection is a process, and what it said takes room.

        Unless it cannot be reached: then nobody has to find that out again.
        """
        name = questions[0].host
        with self._alone_with(name) as host:
            for one in questions:
                if self._stopped:
                    break
                try:
                    self._told(one, run_check(host, one.check, one.context))
                except BaseException as error:  # whoever waits for this answer has to hear of it
                    self._told(one, error)
            host.backend.close()
            if host.backend.is_reachable:
                del self._hosts[name]

    def _told(self, question: Question, answer: Item | BaseException) -> None:
        with self._news:
            self._answers[question.key] = answer
            self._news.notify_all()

    def _ask(self, question: Question) -> Item:
        with self.on(question.host) as host:
            return run_check(host, question.check, question.context)
