"""Runs on the host, as root: installs what a remedy needs and makes the host vulnerable. JSON in, JSON out.

Input: {"install": [name], "programs": {program: package}, "units": {unit: package},
        "vulnerable": [{"name", "kind", "version"}], "fixed": […], "others": […], "publish": bool}
Output: {"missing": [program], "versions": {package: version}, "notes": [text]}
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

HOME = "/opt/stopgap-contract"
STATUS = "/var/lib/dpkg/status"
LISTS = "/etc/apt/sources.list.d/stopgap-contract-%s.list"
ENVIRONMENT = dict(os.environ, DEBIAN_FRONTEND="noninteractive", LC_ALL="C.UTF-8", NEEDRESTART_SUSPEND="1")
APT = ["apt-get", "-q", "-y", "--no-install-recommends", "-o", "Dpkg::Options::=--force-unsafe-io"]
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Problem(Exception):
    pass


def run(*command, cwd=None):
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True, env=ENVIRONMENT, cwd=cwd
    )
    if done.returncode:
        raise Problem("%s: %s" % (" ".join(command[:2]), reason(done.stdout)))
    return done.stdout


def reason(said):
    """apt's and dpkg's errors out of all they said; dpkg gives the cause on the line after the package's name."""
    lines = said.splitlines()
    errors = [
        line + (following if line.endswith(":") else "")
        for line, following in zip(lines, [*lines[1:], ""])  # noqa: B905 (bullseye's Python has no strict)
        if line.startswith(("E:", "dpkg: error"))
    ]
    return "; ".join(errors or lines[-4:])


def apt_install(names):
    """The lists came with the image; where they are too old by now, once more with new ones."""
    if not names:
        return
    try:
        run(*APT, "install", *names)
    except Problem:
        run("apt-get", "-q", "update")
        run(*APT, "install", *names)


def apt_install_most(names, notes):
    """All together, or where they exclude each other one by one as far as that goes."""
    try:
        apt_install(names)
        return
    except Problem:
        if len(names) == 1:
            raise
    installed = []
    for name in names:
        try:
            run(*APT, "install", "--no-remove", name)
            installed.append(name)
        except Problem as problem:
            notes.append("%s beside %s: %s" % (name, ", ".join(installed) or "nothing", problem))
    if not installed:
        raise Problem(notes[-1])


def build(package, folder):
    """One .deb in `folder`; the archive's own package under another version, or a small one of our own."""
    os.makedirs(folder, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=HOME) as work:
        os.chmod(work, 0o755)
        tree = repacked(package, work) if package["kind"] == "repacked" else synthetic(package, work)
        target = os.path.join(folder, "%s_%s.deb" % (package["name"], package["version"].replace(":", "%3a")))
        run("dpkg-deb", "--root-owner-group" if package["kind"] == "synthetic" else "-Znone", "--build", tree, target)
    return target


def repacked(package, work):
    os.chmod(work, 0o777)  # apt fetches as its own user
    run("apt-get", "-q", "download", package["name"], cwd=work)
    tree = os.path.join(work, "tree")
    run("dpkg-deb", "-R", os.path.join(work, next(n for n in os.listdir(work) if n.endswith(".deb"))), tree)
    control = os.path.join(tree, "DEBIAN/control")
    with open(control, encoding="utf-8") as handle:
        text = handle.read()
    with open(control, "w", encoding="utf-8") as handle:
        handle.write(renumbered(text, package["version"]))
    return tree


def renumbered(control, version):
    """Another version; the source's is then the same, and siblings of the old version will do."""
    control = re.sub(r"(?m)^Version: .*$", "Version: " + version, control)
    control = re.sub(r"(?m)^(Source: \S+) \(.*\)$", r"\1", control)
    return re.sub(r"(?m)^(?:Pre-)?Depends: .*$", lambda line: re.sub(r" \(= [^)]*\)", "", line.group(0)), control)


def synthetic(package, work):
    tree = os.path.join(work, "tree")
    folder = os.path.join(tree, "usr/share/stopgap-standin", package["name"])
    os.makedirs(os.path.join(tree, "DEBIAN"))
    os.makedirs(folder)
    with open(os.path.join(tree, "DEBIAN/control"), "w") as handle:
        handle.write(
            "Package: %s\nVersion: %s\nArchitecture: %s\nMaintainer: Stopgap lab <lab@stopgap.invalid>\n"
            "Description: stand-in of a remedy's test\n Carries the name and the version, none of the code.\n"
            % (package["name"], package["version"], run("dpkg", "--print-architecture").strip())
        )
    with open(os.path.join(folder, "fixed" if package.get("fixed") else "vulnerable"), "w") as handle:
        handle.write(package["version"] + "\n")
    return tree


def install_vulnerable(packages):
    """After all else: apt would want the archive's version back for what depends on it by version."""
    files = [build(package, HOME + "/vulnerable") for package in packages]
    for package in packages:
        relax_dependents(package["name"], package["version"])
    if files:
        run("dpkg", "--install", "--force-depends,breaks,confold,downgrade,overwrite,unsafe-io", *files)


def to_replace(packages):
    """Not the archive's package that another one kept out: exim4-daemon-heavy where -light is installed."""
    return (package for package in packages if package["kind"] == "synthetic" or version_of(package["name"]))


def relax_dependents(name, version):
    """Installed packages that ask for another version of this one go by its name alone from now on."""
    with open(STATUS, encoding="utf-8") as handle:
        text = handle.read()
    clause = re.compile(r"(?<![\w.+-])(%s(?::\w+)?) \(([<=>]+) ([^)]+)\)" % re.escape(name))

    def loosen(found):
        holds = subprocess.run(["dpkg", "--compare-versions", version, found.group(2), found.group(3)]).returncode == 0
        return found.group(0) if holds else found.group(1)

    relaxed = re.sub(r"(?m)^(?:Pre-)?Depends: .*$", lambda line: clause.sub(loosen, line.group(0)), text)
    if relaxed != text:
        with open(STATUS + ".stopgap", "w", encoding="utf-8") as handle:
            handle.write(relaxed)
        os.replace(STATUS + ".stopgap", STATUS)


def make_repository(folder):
    entries = []
    for name in sorted(os.listdir(folder)):
        if name.endswith(".deb"):
            with open(os.path.join(folder, name), "rb") as handle:
                data = handle.read()
            fields = run("dpkg-deb", "--field", os.path.join(folder, name)).strip()
            told = (fields, name, len(data), hashlib.sha256(data).hexdigest())
            entries.append("%s\nFilename: ./%s\nSize: %d\nSHA256: %s\n" % told)
    with open(os.path.join(folder, "Packages"), "w") as handle:
        handle.write("\n".join(entries))


def publish(name):
    """Let apt see a repository of ours."""
    folder = os.path.join(HOME, name)
    if os.path.isdir(folder):
        make_repository(folder)
        with open(LISTS % name, "w") as handle:
            handle.write("deb [trusted=yes] file:%s ./\n" % folder)
        run("apt-get", "-q", "update", "-o", "Dir::Etc::sourcelist=" + LISTS % name, "-o", "Dir::Etc::sourceparts=-",
            "-o", "APT::Get::List-Cleanup=0")  # fmt: skip


def has_unit(unit):
    known = subprocess.run(["systemctl", "cat", unit], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return known.returncode == 0


def install_programs(programs, notes):
    for program, package in sorted(programs.items()):
        if not shutil.which(program, path=PATH) and package:
            try:
                apt_install([package])
            except Problem as problem:
                notes.append("%s: %s" % (program, problem))


def version_of(name):
    done = subprocess.run(
        ["dpkg-query", "-W", "-f", "${source:Version}", name], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    return done.stdout.decode().strip()


def main():
    asked, notes = json.load(sys.stdin), []
    os.makedirs(HOME, exist_ok=True)
    if asked.get("publish"):
        publish("fixed")
    else:
        prepare(asked, notes)
    missing = [program for program in asked.get("programs", {}) if not shutil.which(program, path=PATH)]
    versions = {package["name"]: version_of(package["name"]) for package in asked.get("vulnerable", [])}
    json.dump({"missing": missing, "notes": notes, "versions": versions}, sys.stdout)


def prepare(asked, notes):
    apt_install_most(asked["install"], notes)
    install_programs(asked["programs"], notes)
    for unit, package in asked["units"].items():
        if package and not has_unit(unit):
            try:
                apt_install([package])
            except Problem as problem:
                notes.append("%s: %s" % (unit, problem))
    for package in asked["others"]:
        build(package, HOME + "/others")
    for package in asked["fixed"]:
        build(dict(package, fixed=True), HOME + "/fixed")
    publish("others")
    install_vulnerable(list(to_replace(asked["vulnerable"])))
    publish("vulnerable")  # an archive has what its hosts run, and a mitigation that removes it wants it back


if __name__ == "__main__":
    try:
        main()
    except Problem as problem:
        sys.exit("cannot prepare the host: %s" % problem)
