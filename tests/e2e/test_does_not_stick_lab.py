"""Every way in which a patch does not stick, made to happen on a real host (docs/reference/traps.md lists them).

Where the archive has no example, the packages are stand-ins built on the host.
"""

import pytest

from stopgap.lab import HostSpec
from tests.books import Books
from tests.e2e import standins
from tests.e2e.standins import package
from tests.e2e.target_side import assess, bring, patch, remedy
from tests.labs import lab_of

pytestmark = pytest.mark.lab

NGINX = remedy("nginx", "debian-12", "1.22.1-9+deb12u11", then=[{"type": "restart", "params": "nginx"}])
SCRIPT = "#!/usr/bin/python3\nimport time\ntime.sleep(1000)\n"
SERVICE = "[Service]\nExecStart={start}\n{more}"


@pytest.fixture(scope="module")
def lab():
    with lab_of("stick", HostSpec("web", "bookworm", ("nginx",))) as made:
        bring(made, "web")
        yield made


def old_code(found):
    return sorted((one["name"], one["unit"], one["sure"], one["files"][0]) for one in found)


def run_unit(lab, name, start, more=""):
    lab.write_file("web", f"/etc/systemd/system/{name}.service", SERVICE.format(start=start, more=more))
    lab.exec("web", ["systemctl", "daemon-reload"])
    lab.exec("web", ["systemctl", "restart", name])


def standin(name, **options):
    """Version 1 installed, version 2 in the repository, and the remedy that asks for 2."""
    then = options.pop("then", [])
    files = options.pop("files")
    one, two = (package(name, number, files, **options) for number in ("1.0", "2.0"))
    return one, two, remedy(name, "debian-12", "2.0", then=then)


# --- code that is read, and workers that stay


@pytest.fixture(scope="module")
def readers(lab):
    """One package whose old files are in use in every way there is, and the result of its fix without restarts."""
    start, script = "/usr/share/reader/start", "/usr/share/reader/daemon.py"
    files = {
        "/usr/sbin/readerd": ("copy of /usr/bin/sleep", "0755"),
        "/usr/share/java/reader.jar": "a jar",
        script: (SCRIPT, "0755"),
        start: ("#!/bin/sh\nwhile :; do sleep 1000; done\n", "0755"),
        "/usr/lib/python3/dist-packages/reader_module.py": "x = 1\n",
        "/usr/lib/python3/dist-packages/_reader.so": "copy of /usr/lib/x86_64-linux-gnu/libz.so.1",
        "/lib/systemd/system/reader-named.service": SERVICE.format(
            start="/bin/bash -c \"exec -a 'reader: idle' python3 -c 'import time; time.sleep(1000)'\"", more=""
        ),
    }
    one, two, fix = standin("reader", files=files)
    first, _second = standins.publish(lab, "web", one, two)
    standins.install(lab, "web", first)
    hold = "import time; held = open('/usr/share/java/reader.jar'); time.sleep(1000)"
    load = "import ctypes, time; ctypes.CDLL('/usr/lib/python3/dist-packages/_reader.so'); time.sleep(1000)"
    read = "import reader_module, time; time.sleep(1000)"
    run_unit(lab, "reader-script", script)
    run_unit(lab, "reader-shell", start)
    run_unit(lab, "reader-jar", f'/usr/bin/python3 -c "{hold}"')
    run_unit(lab, "reader-so", f'/usr/bin/python3 -c "{load}"')
    run_unit(lab, "reader-module", f'/usr/bin/python3 -c "{read}"')
    worker = "sh -c '/usr/sbin/readerd 1000 & exec /usr/sbin/readerd 2000'"
    run_unit(lab, "reader-worker", f"/bin/{worker}", "KillMode=process\n")
    lab.exec("web", ["systemctl", "start", "reader-named"])
    # each has to be past its start, or it would read what is new
    ready = (
        "[ $(pgrep -xc readerd) = 2 ]",
        "pgrep -f '^reader: idle'",
        "ls -l /proc/*/fd | grep -q reader.jar",
        "grep -q _reader.so /proc/*/maps",
    )
    lab.exec("web", ["sh", "-c", f"until {' && '.join(ready)}; do sleep 0.1; done"])
    result = patch(lab, "web", fix, restart=False)
    assert result["state"] == "installed", result["reason"]
    return fix


def test_each_way_of_reading_old_code_is_told_and_no_more_than_is_known(lab, readers):
    found = old_code(assess(lab, "web", readers)["evidence"]["old_code"])
    by_unit = {unit: (sure, file) for _name, unit, sure, file in found}
    module = "/usr/lib/python3/dist-packages/reader_module.py"
    assert by_unit == {
        "reader-script.service": (True, "/usr/share/reader/daemon.py"),
        "reader-shell.service": (True, "/usr/share/reader/start"),
        "reader-jar.service": (True, "/usr/share/java/reader.jar"),
        "reader-so.service": (True, "/usr/lib/python3/dist-packages/_reader.so"),
        "reader-module.service": (False, module),
        "reader-named.service": (False, module),
        "reader-worker.service": (True, "/usr/sbin/readerd"),
    }


def test_a_worker_that_outlives_its_services_restart_is_old_code(lab, readers):
    lab.exec("web", ["systemctl", "restart", "reader-worker"])
    found = [one for one in assess(lab, "web", readers)["evidence"]["old_code"] if one["name"] == "readerd"]
    assert len(found) == 1  # the child of the one before; the new ones run the new file
    assert b"1000" in lab.exec("web", ["cat", f"/proc/{found[0]['pid']}/cmdline"]).stdout.encode()


def test_what_may_have_read_old_files_is_unknown_and_a_restart_settles_it(lab, readers):
    lab.exec("web", ["sh", "-c", "pkill -x readerd; systemctl stop reader-script reader-shell reader-jar reader-so"])
    left = assess(lab, "web", readers)
    assert (left["state"], left["code"]) == ("unknown", "probe_unknown")
    assert "may have read the old files" in left["reason"]
    lab.exec("web", ["systemctl", "restart", "reader-module", "reader-named"])
    assert assess(lab, "web", readers)["code"] == "awaiting_proof"


# --- versions that are not there, or not alone


def test_a_pinned_package_is_refused_with_the_file_that_pins_it(lab):
    lab.security("web")
    rule = "Package: nginx*\nPin: release *\nPin-Priority: -1\n"
    lab.write_file("web", "/etc/apt/preferences.d/keep", rule)
    result = patch(lab, "web", NGINX)
    assert (result["state"], result["code"], result["changed"]) == ("refused", "pinned", False)
    assert "keep it back: /etc/apt/preferences.d/keep: Pin: release *, priority -1" in result["reason"]
    lab.exec("web", ["rm", "/etc/apt/preferences.d/keep"])
    assert patch(lab, "web", NGINX, check=True)["state"] == "would_install"


def test_a_second_architecture_stays_vulnerable_beside_the_fix(lab):
    files = {"/usr/share/doc/twofold/README": "same in both"}
    lab.exec("web", ["dpkg", "--add-architecture", "i386"])
    old = [package("twofold", "1.0", files, arch=arch, Multi_Arch="same") for arch in ("amd64", "i386")]
    fix = remedy("twofold", "debian-12", "2.0")
    made = standins.publish(lab, "web", *old, package("twofold", "2.0", files, Multi_Arch="same"))
    standins.install(lab, "web", *made[:2])
    # the repository has the fix for one of them only, and they have to be alike: nothing is installed or removed
    result = patch(lab, "web", fix)
    assert (result["state"], result["code"], result["changed"]) == ("refused", "no_candidate", False)
    assert assess(lab, "web", fix)["reason"] == "twofold:amd64 1.0 < 2.0"
    # somebody forces it: dpkg leaves both half-way, as nothing that is alike may differ
    lab.exec("web", ["dpkg", "--force-all", "-i", made[2]], check=False)
    told = assess(lab, "web", fix)
    lab.exec("web", ["dpkg", "--force-all", "--purge", "twofold:amd64", "twofold:i386"])
    lab.exec("web", ["dpkg", "--remove-architecture", "i386"])
    assert (told["state"], told["code"]) == ("unknown", "broken_package")
    versions = {one["arch"]: one["version"] for one in told["evidence"]["packages"]}
    assert versions == {"amd64": "2.0", "i386": "1.0"}
    assert told["reason"].startswith("twofold:")


# --- a second opinion


def test_needrestart_agrees_and_where_it_does_not_both_answers_are_told(lab):
    lab.security("web")
    lab.exec("web", ["apt-get", "install", "-q", "-y", "--no-install-recommends", "needrestart"])
    lab.write_file("web", "/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", 0o755)  # the package may not restart it
    assert patch(lab, "web", NGINX, restart=False)["state"] == "installed"
    lab.exec("web", ["rm", "/usr/sbin/policy-rc.d"])
    told = assess(lab, "web", NGINX)
    assert (told["state"], told["code"]) == ("patched", "old_code"), told["reason"]

    lab.write_file("web", "/etc/needrestart/conf.d/site.conf", "push(@{$nrconf{blacklist}}, qr(nginx));\n")
    told = assess(lab, "web", NGINX)
    assert (told["state"], told["code"]) == ("unknown", "detectors_disagree"), told["reason"]
    assert "we see old code in nginx (" in told["reason"]
    assert told["reason"].endswith("needrestart in no process")

    lab.exec("web", ["systemctl", "restart", "nginx"])
    assert assess(lab, "web", NGINX)["code"] == "awaiting_proof"
    lab.exec("web", ["dpkg", "--purge", "needrestart"])


# --- through the verbs, with books


REMEDY = """\
apiVersion: stopgap/v1
id: CVE-2099-0001
revision: 1
title: A stand-in with a copy of itself beside it
published: 2099-01-01
references: ["https://example.org/bundle"]
affected:
  packages: [{name: bundle, fixed_in: {debian-12: "2.0"}}]
mitigations:
  - id: switched-off
    title: The feature is switched off
    side_effect: The feature is off
    disruption: low
    persists: always
    status: valid
    actions: [{file: {path: /etc/bundle.d/off.conf, content: "off\\n"}}]
    checks: [{file: {path: /etc/bundle.d/off.conf, matches: "^off$"}}]
fix:
  packages: [bundle]
  obligations:
    - id: keys-rotated
      title: The keys made before the fix are replaced
      checks: [{file: {path: /etc/bundle.key, lacks_match: made by 1.0}}]
checks:
  - package: {name: bundle, at_least: fixed}
  - processes: {not_on_old_code: bundle}
  - file: {path: /opt/app/vendor/bundle.txt, lacks_match: "^bundle 1"}
"""


def test_a_case_stays_open_until_all_of_it_is_in_effect_and_opens_again_when_it_is_not(lab, tmp_path):
    site = tmp_path / "remedies"
    site.mkdir()
    (site / "CVE-2099-0001.yml").write_text(REMEDY)
    books = Books(lab, tmp_path / "state")

    def verb(name, code):
        done = books.stopgap(name, "CVE-2099-0001", "--remedy-path", str(site))
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def case():
        return books.read("status")["cases"][0]

    files = {"/usr/share/bundle/data": "data"}
    first, _second = standins.publish(lab, "web", package("bundle", "1.0", files), package("bundle", "2.0", files))
    standins.install(lab, "web", first)
    lab.write_file("web", "/opt/app/vendor/bundle.txt", "bundle 1.0\n")
    lab.write_file("web", "/etc/bundle.key", "made by 1.0\n")
    verb("mitigate", 0)

    # a configuration management run that knows nothing of us
    lab.exec("web", ["rm", "-r", "/etc/bundle.d"])
    verb("recheck", 2)
    assert (case()["state"], case()["flags"]) == ("exposed", ["mitigation_lost"])
    verb("mitigate", 0)
    assert (case()["state"], case()["flags"]) == ("mitigated", [])

    # the package is fixed, its vendored copy and the keys it made are not
    told = verb("fix", 2)
    assert case()["state"] == "patched"
    assert "/opt/app/vendor/bundle.txt" in told
    lab.write_file("web", "/opt/app/vendor/bundle.txt", "bundle 2.0\n")
    assert "keys made before the fix" in verb("fix", 2)
    assert books.owed() == {("web", "CVE-2099-0001")}
    lab.write_file("web", "/etc/bundle.key", "made by 2.0\n")
    verb("fix", 0)
    assert (case()["state"], books.owed()) == ("fixed", set())

    standins.install(lab, "web", first)  # dpkg alone asks nobody
    verb("recheck", 2)
    assert (case()["state"], case()["flags"]) == ("exposed", ["regressed"])
    lab.exec("web", ["dpkg", "--purge", "bundle"])
    verb("recheck", 0)
    assert case()["state"] == "not_affected"
