"""A real PostgreSQL server for tests: Debian's programs, a folder, a port and a socket of its own.

    with Server() as server:                       # or the session fixture `postgres` of tests/conftest.py
        url = server.url(server.create_database()) # as its superuser over the socket, no password asked
        server.create_login("awx", "stopgap_writer")
        server.url(name, "awx")                    # over the socket; url(name, "awx", tcp=True) asks for the password
        server.sql("SELECT 1", database=name)      # superuser, autocommit, rows of tuples
        server.stop("immediate"); server.start()   # or restart("immediate"): same port, crash recovery
        server.pid                                 # the postmaster; kill it with os.kill(server.pid, …)

`Server()` survives its own crash (`immediate`, kill -9) as in production, but not the machine's: fsync is off. Tests
that pull the ground away from under it (a full disk, a copy of the folder) take `Server(durable=True)`.
`settings` go into postgresql.conf. The collation is English on purpose: order there is not the order of bytes.

A shell at the other end of a pipe ends the server and removes its folder when this process dies, however it dies.
"""

import contextlib
import itertools
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import quote, urlencode

OWNER = "postgres"  # the superuser inside, and outside for root: initdb refuses root
PASSWORD = "s3cret p@ss/word"  # noqa: S105 - every login's, over TCP; to be quoted in a URL, as real ones are
START_SECONDS = 120
SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}  # pg_ctl stop -m …

QUICK = {"fsync": "off", "full_page_writes": "off"}
CONF = {
    "unix_socket_permissions": "0777",
    "shared_buffers": "64MB",
    "max_wal_senders": "0",
    "wal_level": "minimal",
    "logging_collector": "off",
    "log_min_messages": "warning",
}
AGAIN = re.compile("could not bind|shared memory block .* is still in use|lock file .* already exists")
ACCESS = "local all all trust\nhost all all all scram-sha-256\n"

# Waits for the end of its standard input, that is for the death of the tests.
WATCHER = """
trap '' INT TERM HUP
cat > /dev/null
pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null) && kill -CONT "$pid" && kill -QUIT "$pid"
while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
rm -rf "$1"
"""


class NoPostgreSQL(Exception):
    """The programs are not here; the message says how to get them."""


def bin_dir() -> Path:
    """Debian keeps the server's programs off the PATH, one folder a version."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    if not installed:
        raise NoPostgreSQL("these tests need PostgreSQL's server programs: run tests/setup_postgres.sh (apt, as root)")
    return installed[-1].parent


class Server:
    def __init__(
        self, *, durable: bool = False, listen: str = "127.0.0.1", settings: dict[str, str] | None = None
    ) -> None:
        self.bin = bin_dir()
        self.host = listen
        self.port = 0
        self.folder = Path(tempfile.mkdtemp(prefix="stopgap-pg-", dir="/tmp"))  # short: a socket's path has 107 bytes
        self._as_owner: dict[str, str | int | list[str]] = {}
        if os.geteuid() == 0:
            self._as_owner = {"user": OWNER, "group": pwd.getpwnam(OWNER).pw_gid, "extra_groups": []}
            shutil.chown(self.folder, OWNER)
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count(1)
        self._watcher = subprocess.Popen(
            ["/bin/sh", "-c", WATCHER, "sh", str(self.folder)], stdin=subprocess.PIPE, start_new_session=True
        )
        try:
            self._initdb({**CONF, **({} if durable else QUICK), **(settings or {})})
        except BaseException:
            self.remove()
            raise

    def __enter__(self) -> "Server":
        if self._process is None:
            self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    # Its life

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def pid(self) -> int:
        assert self._process is not None, "the server is not running"
        return self._process.pid

    def start(self) -> None:
        """Returns when it answers, after crash recovery too. The first start chooses the port."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            port = self.port or _free_port(self.host)
            self._launch(port)
            if self._wait_until_ready(deadline):
                self.port = port
                return
            # The port was taken meanwhile; or, after kill -9 of the postmaster, its children are not all gone yet.
            if time.monotonic() > deadline or not AGAIN.search(self._last_words()):
                raise RuntimeError(f"PostgreSQL did not start:\n{self._last_words()}")
            time.sleep(0.05)

    def stop(self, mode: str = "fast") -> None:
        """`immediate` is a crash: no checkpoint, clients are cut off, the next start recovers."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(SIGNALS[mode])
        self._process.wait(timeout=START_SECONDS)
        self._process = None

    def restart(self, mode: str = "fast") -> None:
        self.stop(mode)
        self.start()

    def remove(self) -> None:
        """Stop, and leave nothing behind."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.stop("immediate")
            (self.data / "postmaster.pid").unlink(missing_ok=True)  # of one that was killed: the number may be reused
        assert self._watcher.stdin is not None
        self._watcher.stdin.close()
        self._watcher.wait(timeout=START_SECONDS)

    # What is in it

    def url(self, database: str, user: str = OWNER, *, tcp: bool = False, password: str = PASSWORD) -> str:
        """For STOPGAP_LEDGER_URL. Over the socket nobody is asked for a password."""
        if tcp:
            return f"postgresql://{quote(user)}:{quote(password, safe='')}@{self.host}:{self.port}/{quote(database)}"
        return f"postgresql://{quote(user)}@/{quote(database)}?" + urlencode({"host": self.folder, "port": self.port})

    def create_database(self, name: str = "", *, template: str = "template1", owner: str = OWNER) -> str:
        """Its name. Nobody may be connected to the template."""
        name = name or f"t{next(self._numbers)}"
        self.sql(f"CREATE DATABASE {_quoted(name)} TEMPLATE {_quoted(template)} OWNER {_quoted(owner)}")
        return name

    def drop_database(self, name: str) -> None:
        self.sql(f"DROP DATABASE IF EXISTS {_quoted(name)} WITH (FORCE)")

    def create_login(self, name: str, *groups: str, options: str = "") -> str:
        """A role that logs in with PASSWORD, a member of these groups. Made once a server; its name."""
        if (name,) not in self.sql("SELECT rolname FROM pg_roles"):
            self.sql(f"CREATE ROLE {_quoted(name)} LOGIN PASSWORD '{PASSWORD}' {options}")
        for group in groups:
            self.sql(f"GRANT {_quoted(group)} TO {_quoted(name)}")
        return name

    def sql(self, statement: str, *, database: str = "postgres", user: str = OWNER) -> list[tuple[object, ...]]:
        import psycopg

        with psycopg.connect(
            host=str(self.folder), port=self.port, user=user, dbname=database, autocommit=True
        ) as connection:
            cursor = connection.execute(statement)  # type: ignore[arg-type]
            return cursor.fetchall() if cursor.description else []

    # How it is made

    def _initdb(self, settings: dict[str, str]) -> None:
        words = ["--no-sync", "--no-instructions", "--username", OWNER, "--encoding", "UTF8"]
        words += ["--locale-provider", "icu", "--icu-locale", "en-US", "--locale", "C.UTF-8"]
        command = [str(self.bin / "initdb"), *words, "--pgdata", str(self.data)]
        done = subprocess.run(
            command, cwd="/", capture_output=True, text=True, errors="replace", check=False, **self._as_owner
        )
        if done.returncode:
            raise RuntimeError(f"initdb failed: {done.stderr}")
        with open(self.data / "postgresql.conf", "a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
        (self.data / "pg_hba.conf").write_text(ACCESS)

    def _launch(self, port: int) -> None:
        command = [str(self.bin / "postgres"), "-D", str(self.data), "-k", str(self.folder)]
        command += ["-h", self.host, "-p", str(port)]
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C at the tests is not for the server
                **self._as_owner,
            )

    def _wait_until_ready(self, deadline: float) -> bool:
        """False when it ended instead."""
        assert self._process is not None
        while self._process.poll() is None:
            with contextlib.suppress(FileNotFoundError):
                lines = (self.data / "postmaster.pid").read_text().splitlines()  # what pg_ctl -w looks at
                if len(lines) >= 8 and lines[0] == str(self.pid) and lines[7].strip() == "ready":
                    return True
            if time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL is not ready after {START_SECONDS} s:\n{self._last_words()}")
            time.sleep(0.01)
        self._process = None
        return False

    def _last_words(self) -> str:
        return self.log.read_text(errors="replace")[-2000:]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])
