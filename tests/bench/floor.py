"""The floor: one ssh a host that carries the shell commands of our own checks, all of them, and looks at nothing."""

import shlex

from stopgap.verify.backend import open_host
from stopgap.verify.context import Context
from stopgap.verify.runner import run_check


def commands(connection, remedy):
    """What a host is asked for these checks, by asking one and listening."""
    host, asked = open_host("one", connection, 30), []
    call = host.backend._call
    host.backend._call = lambda command, *rest: asked.append(command) or call(command, *rest)
    verdicts = [run_check(host, check, Context(remedy, "fix"))["verdict"] for check in remedy["checks"]]
    host.backend.close()
    assert set(verdicts) == {"pass"}, verdicts
    return asked


def write(file, connections, asked):
    """A line of shell for each host: our own ssh, sudo and all, with another command at its end."""
    script = shlex.quote("; ".join(asked))
    lines = []
    for connection in connections.values():
        assert not {"become_password", "password"} & set(connection)
        argv = [*connection["argv"][:-1], f"sudo -H -S -n -u root /bin/sh -c {script}"]
        lines.append(shlex.quote(f"{shlex.join(argv)} > /dev/null 2>&1"))
    file.write_text("\n".join(lines) + "\n")


def run(fleet, file, forks):
    """xargs starts them, so many at a time: it is the leanest there is. Its exit code says whether one failed."""
    return fleet.run("xargs", "-P", str(forks), "-n", "1", "sh", "-c", stdin=file)
