# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Single Debian packages as a mitigation wants them: held, removed, at another version, and back from their own file.

`package` is everywhere one fact of dpkg.installed. ActionError and InstallError say what stood in the way.
"""

import os
import re
import shutil
import tempfile

from ansible_collections.stopgap.remediation.plugins.module_utils import command
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import ActionError
from ansible_collections.stopgap.remediation.plugins.module_utils.packages import apt, dpkg
from ansible_collections.stopgap.remediation.plugins.module_utils.packages.tools import InstallError, read, run

CACHE = "/var/cache/apt/archives"
LOCK_SECONDS = 300
# apt may go back in versions and change what is held, for this one package; never remove another one for it
FREELY = ["-y", "--no-install-recommends", "--no-remove", "--allow-downgrades", "--allow-change-held-packages"]
# the journal is root's alone to look into
AS_ROOT = ["-o", "APT::Sandbox::User=root"]
# apt as if no repository were known: it knows what is installed, and a file it is given; its own caches stay as they are
ALONE = [
    part
    for option in ("Etc::SourceList=/dev/null", "Etc::SourceParts=/dev/null", "Cache::pkgcache=", "Cache::srcpkgcache=")
    for part in ("-o", "Dir::" + option)
]
INTERRUPTED = "dpkg was interrupted"
PLANNED = re.compile(r"^(?:Inst|Remv|Purg) (\S+)", re.MULTILINE)
UNIT_FILE = re.compile(r"^(?:/usr)?/lib/systemd/system/([^/]+\.(?:service|socket|timer|path))$", re.MULTILINE)
INIT_SCRIPT = re.compile(r"^/etc/init\.d/([^/]+)$", re.MULTILINE)


def full_name(package):
    return package["name"] if package["arch"] == "all" else "%s:%s" % (package["name"], package["arch"])


def hold(package):
    command.must(["apt-mark", "hold", full_name(package)])


def unhold(package):
    command.must(["apt-mark", "unhold", full_name(package)])


def is_auto(package):
    """Installed only because others need it: apt may remove it when they are gone."""
    return bool(read(["apt-mark", "showauto", full_name(package)]).strip())


def mark_auto(package, auto):
    command.must(["apt-mark", "auto" if auto else "manual", full_name(package)])


def fetch(package, folder):
    """The path of the very file the installed package came from: apt's own copy, or one downloaded into `folder`."""
    cached = cached_file(package)
    if cached:
        return cached
    spec = apt.spec(package, package["version"])
    result = run(["env", "-C", folder, "apt-get", "-q", "download", spec], apt.INSTALL_SECONDS, **apt.ENVIRONMENT)
    for name in sorted(os.listdir(folder)) if result.rc == 0 else []:
        if is_file_of(os.path.join(folder, name), package):
            return os.path.join(folder, name)
    raise not_obtainable(package, apt.words(result.output))


def prove_obtainable(package):
    """ActionError where `fetch` could not have it. Fetches nothing."""
    if cached_file(package):
        return
    spec = apt.spec(package, package["version"])
    result = run(["apt-get", "-q", "download", "--print-uris", spec], apt.UPDATE_SECONDS, **apt.ENVIRONMENT)
    if result.rc != 0 or "_" not in result.output:
        raise not_obtainable(package, apt.words(result.output))


def not_obtainable(package, reason):
    return ActionError(
        "%s %s could not be put back, because no repository and not apt's cache has that version any more (%s): put its "
        ".deb into %s, or choose another mitigation" % (package["name"], package["version"], reason, CACHE)
    )


def cached_file(package):
    name = "%s_%s_%s.deb" % (package["name"], package["version"].replace(":", "%3a"), package["arch"])
    path = os.path.join(CACHE, name)
    return path if os.path.isfile(path) and is_file_of(path, package) else None


def is_file_of(path, package):
    """What the file says of itself, whatever it is called."""
    output = command.execute(["dpkg-deb", "-f", path, "Package", "Version", "Architecture"])
    said = dict(line.split(": ", 1) for line in output.stdout.splitlines() if ": " in line)
    wanted = {"Package": package["name"], "Version": package["version"], "Architecture": package["arch"]}
    return output.rc == 0 and said == wanted


def prove_removable(package):
    """ActionError where other packages would go with it."""
    others = others_in(simulated(remove_argv(package)), package)
    if others:
        raise ActionError(
            "removing %s would remove others too: %s; name them as actions of their own, before it"
            % (package["name"], ", ".join(others))
        )


def remove(package):
    changed(package, remove_argv(package))


def remove_argv(package):
    return ["remove", "-y", "--no-auto-remove", "--allow-change-held-packages", full_name(package)]


def prove_settable(package, version):
    """ActionError where that version cannot be had, or other packages would change with it."""
    try:
        others = others_in(simulated(version_argv(package, version)), package)
    except InstallError as error:
        raise ActionError(
            "%s %s cannot be had by itself (%s): is it in a repository, and do others need the version that is there?"
            % (package["name"], version, error.reason)
        )
    if others:
        raise ActionError(
            "%s %s would change others too: %s; name them as actions of their own, before it"
            % (package["name"], version, ", ".join(others))
        )


def set_version(package, version):
    changed(package, version_argv(package, version))


def version_argv(package, version):
    return ["install"] + FREELY + keeping_conffiles() + [apt.spec(package, version)]


def install_file(package, path):
    """Put a package back from its file, from repositories only what it needs and has lost since."""
    folder = tempfile.mkdtemp()
    try:
        named = os.path.join(folder, "saved.deb")  # apt tells a file from a name by its ending
        os.symlink(path, named)
        argv = ["install"] + AS_ROOT + FREELY + keeping_conffiles() + [named]
        try:
            changed(package, ALONE + argv)
        except InstallError as error:
            if error.code != "dependencies":
                raise
            changed(package, argv)
    finally:
        shutil.rmtree(folder)


def keeping_conffiles():
    return [part for option in apt.CONFFILES["keep"][0] for part in ("-o", "Dpkg::Options::=" + option)]


def simulated(argv):
    result = run(["apt-get", "-s"] + argv, apt.UPDATE_SECONDS, **apt.ENVIRONMENT)
    if result.rc != 0:
        raise apt.complaint(result.output)
    return result.output


def changed(package, argv):
    result = run_apt(argv)
    if INTERRUPTED in result.output and only_ours(package):  # a killed run of our own: finished, and tried again
        run(["dpkg"] + apt.CONFFILES["keep"][0] + ["--configure", "-a"], apt.INSTALL_SECONDS, **apt.ENVIRONMENT)
        result = run_apt(argv)
    if result.rc != 0:
        raise apt.complaint(result.output)


def run_apt(argv):
    return apt.apt_get(argv, LOCK_SECONDS, apt.INSTALL_SECONDS, **apt.CONFFILES["keep"][1])


def only_ours(package):
    """Whether nothing else was left half-way, which is for its owner to finish."""
    return all(told.startswith(package["name"] + " is ") for told in dpkg.unfinished())


def others_in(plan, package):
    """apt writes a package's architecture only where it is not the host's own."""
    return sorted({name for name in PLANNED.findall(plan) if name not in (package["name"], full_name(package))})


def units(package):
    """The units a package brings; of a template those that have been started."""
    listed = read(["dpkg-query", "-L", full_name(package)])
    scripts = {name + ".service" for name in INIT_SCRIPT.findall(listed)}
    found = set()
    for name in scripts | set(UNIT_FILE.findall(listed)):
        found |= instances(name) if "@." in name else {name}
    return sorted(found)


def choices(package):
    """{alternative: a file of the package} where a person has chosen it, which is forgotten when the package goes."""
    files = set(read(["dpkg-query", "-L", full_name(package)]).splitlines())
    lines = [line.split(None, 2) for line in read(["update-alternatives", "--get-selections"]).splitlines()]
    return {name: path for name, status, path in lines if status == "manual" and path in files}


def choose(name, path):
    command.must(["update-alternatives", "--set", name, path])


def instances(template):
    pattern = template.replace("@.", "@*.")
    shown = read(["systemctl", "list-units", "--all", "--plain", "--no-legend", "--full", pattern])
    return {line.split()[0] for line in shown.splitlines() if line.split()}
