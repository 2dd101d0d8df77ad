"""`pytest --remedy` on a real host in every state, and as molecule's verifier in somebody else's role."""

import shutil
import subprocess
from xml.etree import ElementTree

import pytest
import yaml

from stopgap.lab import HostSpec
from tests.books import TOP
from tests.entry_points import environment
from tests.labs import lab_of

pytestmark = pytest.mark.lab

REMEDY = "CVE-2023-44487"
CHECKS = ("package:nginx", "processes:nginx", "service:nginx")
SITE_TEST = """
def test_old_code(processes_on_old_code):
    assert [one["name"] for one in processes_on_old_code] == []

def test_books(case):
    assert case is None
"""


@pytest.fixture(scope="module")
def lab():
    with lab_of("pytestplugin", HostSpec("web1", "bookworm", ("nginx",))) as lab:
        yield lab


@pytest.fixture
def run(lab, tmp_path):
    """Runs a command away from this repository; no ledger of anybody's is read."""
    env = environment(tmp_path / "site", STOPGAP_STATE_DIR=str(tmp_path / "state"), WEB_INVENTORY=str(lab.inventory))
    (tmp_path / "ansible.cfg").touch()
    env |= {
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "COLUMNS": "200",
        "ANSIBLE_CONFIG": str(tmp_path / "ansible.cfg"),
    }
    env.pop("ANSIBLE_CALLBACKS_ENABLED", None)

    def call(*words, cwd=tmp_path):
        return subprocess.run(words, env=env, cwd=cwd, capture_output=True, text=True, check=False)

    return call


@pytest.fixture
def outcomes(run, tmp_path):
    """{id: passed|failure|error} of a pytest run over that inventory, and its exit code."""

    def ask(inventory, *words):
        report = tmp_path / "junit.xml"
        options = ["--hosts=ansible://all", f"--ansible-inventory={inventory}", f"--junit-xml={report}"]
        done = run("pytest", "-p", "no:cacheprovider", "--remedy", REMEDY, *options, *words)
        assert done.returncode in (0, 1), done.stdout + done.stderr
        found = {}
        for case in ElementTree.parse(report).getroot().iter("testcase"):  # noqa: S314 - our own file
            problem = [one.tag for one in case if one.tag in ("failure", "error", "skipped")]
            found[case.get("name").removeprefix(f"web1 {REMEDY} fix ")] = (problem or ["passed"])[0]
        return found, done

    return ask


def replace_unseen(lab, version):
    """Another version of nginx on disk while the one that runs goes on running."""
    lab.write_file("web1", "/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", 0o755)
    wanted = [f"{name}={version}" for name in ("nginx", "nginx-common")]
    lab.exec("web1", ["apt-get", "install", "-y", "-q", "--allow-downgrades", *wanted])
    lab.exec("web1", ["rm", "/usr/sbin/policy-rc.d"])


def test_as_molecules_verifier_in_somebody_elses_role(lab, run, outcomes, tmp_path):
    """The role of the example closes the CVE, and each state on the way is told by the same checks."""
    role = tmp_path / "role"
    shutil.copytree(TOP / "docs/examples/role-with-molecule", role)
    born = lab.exec("web1", ["dpkg-query", "-W", "-f", "${Version}", "nginx"]).stdout.strip()

    found, done = outcomes(lab.inventory)
    assert found == dict(zip(CHECKS, ("failure", "passed", "passed"), strict=True))
    assert (done.returncode, "1 failed, 2 passed" in done.stdout) == (1, True), done.stdout
    refused = run("molecule", "verify", cwd=role)
    assert refused.returncode != 0, refused.stdout
    assert f"web1 {REMEDY} fix package:nginx" in refused.stdout + refused.stderr, refused.stdout + refused.stderr

    lab.security("web1", on=True)
    done = run("molecule", "test", cwd=role)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 passed" in done.stdout + done.stderr

    (tmp_path / "test_site.py").write_text(SITE_TEST)
    good = {
        "test_books[CVE-2023-44487-ansible://web1]": "passed",
        "test_old_code[CVE-2023-44487-ansible://web1]": "passed",
    }
    found, done = outcomes(lab.inventory, "test_site.py")
    assert found == dict.fromkeys(CHECKS, "passed") | good, done.stdout
    assert done.returncode == 0

    replace_unseen(lab, born)
    found, done = outcomes(lab.inventory, "test_site.py")
    old = dict.fromkeys(good, "failure") | {"test_books[CVE-2023-44487-ansible://web1]": "passed"}
    assert found == old | dict(zip(CHECKS, ("failure", "failure", "passed"), strict=True)), done.stdout
    assert "nginx" in done.stdout


def test_an_unreachable_host_is_unknown(lab, outcomes, tmp_path):
    inventory = yaml.safe_load(lab.inventory.read_text())
    hosts = {"web1": {"ansible_host": lab.host("web1").address, "ansible_port": 9}}
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"all": {"vars": inventory["all"]["vars"], "hosts": hosts}}))
    (tmp_path / "test_site.py").write_text("def test_old_code(processes_on_old_code): assert not processes_on_old_code")
    found, done = outcomes(tmp_path / "hosts.yml", "test_site.py")
    assert found == dict.fromkeys([*CHECKS, "test_old_code[CVE-2023-44487-ansible://web1]"], "error")
    assert done.returncode == 1
    assert "4 unknown" in done.stdout
    assert "Connection refused" in done.stdout


def test_become_passwords_reach_the_host_and_nothing_that_is_printed(lab, outcomes, tmp_path):
    password = (lab.inventory.parent / "opspw.password").read_text().strip()
    inventory = yaml.safe_load(lab.inventory.read_text())
    host = {"ansible_host": lab.host("web1").address, "ansible_user": "opspw", "ansible_become_password": password}
    all_ = {"vars": inventory["all"]["vars"], "hosts": {"web1": host}}
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"all": all_}))
    found, done = outcomes(tmp_path / "hosts.yml", "-n", "2", "-vv")
    assert found["processes:nginx"] in ("passed", "failure")  # only root may look: it was asked, and answered
    assert found["service:nginx"] == "passed"
    assert password not in done.stdout + done.stderr
