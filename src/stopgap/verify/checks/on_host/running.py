"""Which processes run, as /proc has them.

Stands alone (Python 3.6, standard library): the verifier runs its very source on hosts, as `python3 - '[NAME, USER]'`
(JSON), which prints the JSON of `running`.
"""

import json
import os
import pwd
import sys

AGENT = "stopgap> "  # stands in the command line of our agent, and of the sudo that started it


class Unreadable(OSError):
    """The question cannot be answered here; never to be taken for 'none'."""


def running(name, user, proc="/proc"):
    """[{"pid", "name", "args"}] of the processes of that name and effective user; None is any. Ours do not count."""
    uid = None if user is None else uid_of(user)
    ours = our_own(proc)
    found = []
    for pid in pids(proc):
        process = look(proc, pid)
        if process is None or pid in ours:
            continue
        if name in (None, process["name"]) and uid in (None, process.pop("uid")):
            found.append(process)
    return found


def uid_of(user):
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        raise Unreadable("there is no user %s" % user)


def pids(proc):
    try:
        numbers = sorted(int(name) for name in os.listdir(proc) if name.isdigit())
    except OSError as error:
        raise Unreadable("cannot list %s: %s" % (proc, error.strerror))
    if 1 not in numbers:  # hidepid, or /proc not mounted: what we cannot see could be anything
        raise Unreadable("%s does not show every process: become root" % proc)
    return numbers


def look(proc, pid):
    """None for one that has ended, a zombie too: it runs no code any more."""
    try:
        if state(proc, pid)[0] in "ZXx":
            return None
        uids = next(line for line in read(proc, pid, "status").splitlines() if line.startswith("Uid:"))
        args = read(proc, pid, "cmdline").rstrip("\0").replace("\0", " ")
        return {"pid": pid, "name": read(proc, pid, "comm").rstrip("\n"), "args": args, "uid": int(uids.split()[2])}
    except (FileNotFoundError, ProcessLookupError, StopIteration):
        return None
    except OSError as error:
        raise Unreadable("cannot read process %s: %s" % (pid, error.strerror))


def state(proc, pid):
    """[state, parent, group, session, ...]"""
    return read(proc, pid, "stat").rpartition(")")[2].split()


def our_own(proc):
    """This program, its shell, and above them the agent that was asked to run it."""
    found, session = set(), None
    try:
        pid = int(os.readlink(os.path.join(proc, "self")))
        while pid > 1:
            _state, parent, _group, its_session = state(proc, pid)[:4]
            session = session or its_session
            if its_session != session and AGENT not in read(proc, pid, "cmdline"):
                break
            found.add(pid)
            pid = int(parent)
    except OSError:  # hidden: then what is left of us is counted
        pass
    return found


def read(proc, pid, name):
    with open("%s/%s/%s" % (proc, pid, name), encoding="utf-8", errors="replace") as stream:
        return stream.read()


if __name__ == "__main__":
    try:
        sys.stdout.write(json.dumps(running(*json.loads(sys.argv[1]))) + "\n")
    except Unreadable as error:
        raise SystemExit(str(error))
