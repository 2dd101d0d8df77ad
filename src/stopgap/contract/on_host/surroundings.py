"""Runs on the host, as root: units, files, users, mounts, archives and settings that a remedy takes for granted.

Input: the fields of needs.Needs, and "synthetic": whether stand-in services may be made. Output: {"problems": [text]}
"""

import fnmatch
import grp
import io
import json
import os
import pwd
import re
import subprocess
import sys
import zipfile

HOME = "/usr/lib/stopgap-standin"
UNITS = "/usr/lib/systemd/system" if os.path.isdir("/usr/lib/systemd/system") else "/lib/systemd/system"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SERVE = """import glob, json, os, signal, socket, sys
told = json.load(open("/usr/lib/stopgap-standin/listen.json"))
fixed = glob.glob("/usr/share/stopgap-standin/*/fixed")
kept = []
for address in told["listening"]:
    if fixed and address in told["closed_by_fix"]:
        continue
    kind, _, rest = address.partition("://")
    if kind == "unix":
        if os.path.exists(rest):
            os.unlink(rest)
        one = socket.socket(socket.AF_UNIX)
        one.bind(rest)
    else:
        host, _, port = rest.rpartition(":")
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind((host.strip("[]") or "0.0.0.0", int(port)))
    if kind != "udp":
        one.listen(5)
    kept.append(one)
signal.signal(signal.SIGHUP, signal.SIG_IGN)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
while True:
    signal.pause()
"""
SERVICE = """[Unit]
Description=Stand-in of a remedy's test
[Service]
ExecStart=%s
ExecReload=/bin/kill -HUP $MAINPID
[Install]
WantedBy=multi-user.target
"""
# An empty value takes back what the unit says; one empty condition takes back all of them.
INSTEAD = """[Unit]
ConditionPathExists=
[Service]
Type=simple
PIDFile=
BusName=
ExecStartPre=
ExecStartPost=
ExecStart=
ExecStart=/bin/sleep infinity
ExecStop=
ExecReload=
"""
OTHERS = {
    "socket": ("[Socket]\nListenStream=/run/stopgap-standin-%s", "sockets.target"),
    "timer": ("[Timer]\nOnCalendar=yearly\nUnit=%s.service", "timers.target"),
    "path": ("[Path]\nPathExists=/run/stopgap-standin-%s", "paths.target"),
}
KERNELS_OWN = ("/proc/", "/sys/", "/dev/")  # a lab host shares them with the machine
changed = set()  # files that a real service may not start with
OTHER = "[Unit]\nDescription=Stand-in of a remedy's test\n%s\n[Install]\nWantedBy=%s\n"
problems = []


def run(*command):
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
    except OSError as error:
        return 127, str(error)
    return done.returncode, done.stdout.strip()


def must(*command):
    code, text = run(*command)
    if code:
        problems.append("%s: %s" % (" ".join(command), " ".join(text.splitlines()[-2:])))
    return not code


# units


def ready_units(units, listening, closed_by_fix):
    made = [unit for unit in units if run("systemctl", "cat", unit)[0]]
    if made:
        os.makedirs(HOME, exist_ok=True)
        write(HOME + "/serve.py", SERVE)
        write(HOME + "/listen.json", json.dumps({"listening": listening, "closed_by_fix": closed_by_fix}))
    first = True
    for unit in made:
        write_unit(unit, first)
        first = False
    if made:
        must("systemctl", "daemon-reload")
    for unit, wanted in units.items():
        if wanted.get("enabled") and unit in made:
            must("systemctl", "enable", "--quiet", unit)
        if wanted.get("running") and changed and unit not in made:
            run("systemctl", "try-restart", unit)
        if wanted.get("running") and run("systemctl", "is-active", unit)[0]:
            start(unit)


def start(unit):
    """A real service that cannot start here (no hardware, no configuration) has a stand-in's program instead."""
    if not run("systemctl", "start", unit)[0] and not run("systemctl", "is-active", unit)[0]:
        return
    if "." in unit and not unit.endswith(".service"):
        return  # a step that needs it says so
    name = unit if unit.endswith(".service") else unit + ".service"
    if "@" in name:
        return
    problems.append("%s does not start here%s, so a stand-in runs in its place" % (name, given()))
    os.makedirs("%s/%s.d" % (UNITS, name), exist_ok=True)
    write("%s/%s.d/stopgap-standin.conf" % (UNITS, name), INSTEAD)
    must("systemctl", "daemon-reload")
    run("systemctl", "reset-failed", name)
    must("systemctl", "start", name)


def given():
    return " (%s was written for the remedy)" % ", ".join(sorted(changed)) if changed else ""


def write_unit(unit, listens):
    stem, _, kind = unit.rpartition(".")
    program = "/usr/bin/python3 %s/serve.py" % HOME if listens else "/bin/sleep infinity"
    if not stem or kind == "service":
        write("%s/%s" % (UNITS, unit if stem else unit + ".service"), SERVICE % program)
        return
    if kind not in OTHERS:
        problems.append("there is no unit %s, and none of that kind can stand in for it" % unit)
        return
    section, target = OTHERS[kind]
    write("%s/%s" % (UNITS, unit), OTHER % (section % stem, target))
    if run("systemctl", "cat", stem + ".service")[0]:
        write("%s/%s.service" % (UNITS, stem), SERVICE % "/bin/sleep infinity")


# files


def ready_file(wanted):
    path = wanted["path"]
    if wanted.get("unless"):
        code, said = run(*wanted["unless"])
        if not code and with_text(said, wanted) == said:
            return
    if wanted.get("glob"):
        if any(
            fnmatch.fnmatch(name, wanted["glob"][1]) for _, _, names in os.walk(wanted["glob"][0]) for name in names
        ):
            return
        path = path.replace("*", "stopgap-standin").replace("?", "x")
    if path.endswith("/"):
        path += "stopgap-standin"
    if os.path.realpath(path).startswith(KERNELS_OWN):
        if not is_so(path, wanted):
            problems.append("%s is the machine's own and stays as it is" % path)
        return
    if not os.path.lexists(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        write(path, "")
        if wanted.get("mode"):
            os.chmod(path, int(wanted["mode"], 8))
    if os.path.isdir(path) or (not wanted.get("text") and not wanted.get("ini")):
        return
    with open(path, encoding="utf-8", errors="surrogateescape") as handle:
        before = handle.read()
    after = with_option(before, wanted["ini"]) if wanted.get("ini") else with_text(before, wanted)
    if after != before:
        write(path, after)
        changed.add(path)
        if wanted.get("validate") and not accepts(wanted["validate"], path):
            write(path, before)


def is_so(path, wanted):
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as handle:
            text = handle.read()
    except OSError:
        return False
    return not wanted.get("text") or with_text(text, wanted) == text


def with_text(text, wanted):
    pattern = wanted.get("pattern")
    found = re.search(pattern, text, re.MULTILINE) if pattern else wanted["text"] in text
    return text if found else text + ("" if not text or text.endswith("\n") else "\n") + wanted["text"] + "\n"


def with_option(text, section_option):
    section, option = section_option
    if re.search(r"(?m)^\s*%s\s*=" % re.escape(option), text):
        return text
    line = "%s = 1\n" % option
    if not section:
        return line + text
    head = re.search(r"(?m)^\s*\[%s\]\s*$\n?" % re.escape(section), text)
    if not head:
        return "%s[%s]\n%s" % (text, section, line)
    return text[: head.end()] + line + text[head.end() :]


def accepts(argv, path):
    return run(*[word.replace("%s", path) for word in argv])[0] == 0


def write(path, text):
    mode = os.stat(path).st_mode & 0o7777 if os.path.exists(path) else 0o644
    with open(path, "w", encoding="utf-8", errors="surrogateescape") as handle:
        handle.write(text)
    os.chmod(path, mode)


# users, mounts, archives, settings


def ready_user(wanted):
    for group in wanted["groups"]:
        if not known(grp.getgrnam, group):
            must("groupadd", group)
    name = wanted["name"]
    if name and not known(pwd.getpwnam, name):
        same = ["-g", name] if known(grp.getgrnam, name) else []
        must("useradd", "--create-home", "--shell", "/bin/bash", *same, name)
    if name and wanted["member"]:
        for group in wanted["groups"]:
            must("gpasswd", "--add", name, group)


def known(ask, name):
    try:
        ask(name)
        return True
    except KeyError:
        return False


def ready_mount(path):
    """What is there already is kept in it."""
    if path == "/":
        problems.append("/ cannot be mounted anew on a lab host")
        return
    os.makedirs(path, exist_ok=True)
    if not os.path.ismount(path):
        kept = "/run/stopgap-standin.tar"
        mode = oct(os.stat(path).st_mode & 0o7777)[2:]
        if must("tar", "-C", path, "-cf", kept, ".") and must(
            "mount", "-t", "tmpfs", "-o", "mode=" + mode, "tmpfs", path
        ):
            must("tar", "-C", path, "-xpf", kept)
        os.unlink(kept)
    with open("/etc/fstab", "a+") as handle:
        handle.seek(0)
        if not any(line.split()[1:2] == [path] for line in handle if not line.startswith("#")):
            kind = mounted_as(path)
            handle.write("%s %s %s defaults 0 0\n" % (kind, path, kind))
    must("systemctl", "daemon-reload")  # it makes a unit of each line of fstab


def mounted_as(path):
    with open("/proc/self/mounts") as handle:
        return [line.split()[2] for line in handle if line.split()[1] == path][-1]


def ready_archive(wanted):
    name = (wanted.get("name") or wanted["archives"][0]).replace("*", "stopgap-standin")
    for path in wanted["paths"]:
        if any(holds(file, wanted["member"]) for file in archives_below(path, wanted["archives"])):
            return
    path = wanted["paths"][0]
    is_file = any(fnmatch.fnmatch(os.path.basename(path), pattern) for pattern in wanted["archives"])
    target = path if is_file else os.path.join(path, name)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    inner = io.BytesIO()
    make_archive(inner, {wanted["member"]: b"stand-in", "META-INF/MANIFEST.MF": b"Manifest-Version: 1.0\n"})
    with open(target, "wb") as handle:
        make_archive(handle, {wanted["member"]: b"stand-in", "keep.txt": b"kept", "lib/inner.jar": inner.getvalue()})


def make_archive(handle, members):
    with zipfile.ZipFile(handle, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def archives_below(path, patterns):
    if os.path.isfile(path):
        yield path
    for folder, _, names in os.walk(path):
        for name in names:
            if any(fnmatch.fnmatch(name, pattern) for pattern in patterns):
                yield os.path.join(folder, name)


def holds(file, member):
    try:
        with zipfile.ZipFile(file) as archive:
            return any(name.endswith(member) for name in archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False


def ready_sysctl(name, value):
    try:
        with open("/proc/sys/" + name.replace(".", "/"), "r+") as handle:
            if handle.read().split() != value.split():
                handle.write(value)
    except OSError as error:
        problems.append("the sysctl %s cannot be set to %s: %s" % (name, value, error.strerror))


def main():
    asked = json.load(sys.stdin)
    os.environ["PATH"] = PATH
    for user in asked["users"]:
        ready_user(user)
    for path in asked["mounts"]:
        ready_mount(path)
    for file in asked["files"]:
        ready_file(file)
    for command in asked.get("commands", []):
        must(*command)
    for archive in asked["archives"]:
        ready_archive(archive)
    for name, value in asked["sysctls"].items():
        ready_sysctl(name, value)
    ready_units(asked["units"], asked["listening"], asked["closed_by_fix"])
    json.dump({"problems": problems}, sys.stdout)


if __name__ == "__main__":
    main()
