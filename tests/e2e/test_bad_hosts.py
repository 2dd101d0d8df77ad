"""Hosts that cannot be worked on: said per host, nothing changed there, and the others go on."""

import pytest
import yaml

pytestmark = pytest.mark.lab
NGINX, REDIS = "CVE-2023-44487", "CVE-2025-49844"


def with_variables(books, tmp_path, host, **variables):
    """The lab's inventory, with variables of its own for one host."""
    more = tmp_path / "more.yml"
    more.write_text(yaml.safe_dump({"all": {"hosts": {host: variables}}}))
    return ["-i", str(more)]


def test_an_unreachable_host_is_unknown_and_the_others_go_on(books, tmp_path):
    wrong = with_variables(books, tmp_path, "web1", ansible_port=1)
    done = books.stopgap("mitigate", REDIS, *wrong)
    assert done.returncode == 3, done.stdout
    assert books.held("cache1") == {REDIS}
    assert books.states()[("web1", REDIS)] == "unknown"
    assert books.states()[("cache1", REDIS)] == "mitigated"


def test_a_user_without_sudo_is_named_and_nothing_is_changed(books, tmp_path):
    books.lab.exec("web1", ["sh", "-c", "id nosudo >/dev/null 2>&1 || useradd -m nosudo"])
    books.lab.exec("web1", ["sh", "-c", "install -d -m 700 -o nosudo ~nosudo/.ssh; "
                            "install -m 600 -o nosudo ~ops/.ssh/authorized_keys ~nosudo/.ssh/"])  # fmt: skip
    done = books.stopgap(
        "mitigate", NGINX, "-l", "web1", *with_variables(books, tmp_path, "web1", ansible_user="nosudo")
    )
    assert done.returncode == 2, done.stdout
    assert "sudo" in done.stdout
    assert books.held("web1") == set()


def test_a_host_without_python_is_named(books, tmp_path):
    wrong = with_variables(books, tmp_path, "web1", ansible_python_interpreter="/usr/bin/python4")
    done = books.stopgap("mitigate", REDIS, NGINX, *wrong, "-l", "web1")
    assert done.returncode == 2, done.stdout
    assert "python4" in done.stdout
    assert books.held("web1") == set()


@pytest.mark.parametrize("options", ["size=1m,ro", "size=4k"], ids=["read-only", "full"])
def test_a_journal_that_cannot_be_written_stops_everything_before_it_starts(books, options):
    lab = books.lab
    lab.exec("web1", ["mkdir", "-p", "/var/lib/stopgap"])
    lab.exec("web1", ["mount", "-t", "tmpfs", "-o", options, "tmpfs", "/var/lib/stopgap"])
    lab.exec("web1", ["sh", "-c", "head -c 4096 /dev/zero > /var/lib/stopgap/filler || true"])
    try:
        done = books.stopgap("mitigate", NGINX, "-l", "web1")
        assert done.returncode == 2, done.stdout
        assert "/var/lib/stopgap" in done.stdout
        found = lab.exec("web1", ["sh", "-c", "ls /etc/nginx/conf.d"]).stdout
        assert "stopgap" not in found
    finally:
        lab.exec("web1", ["umount", "/var/lib/stopgap"])
    assert books.owed() == set()


def test_check_mode_predicts_and_leaves_neither_change_nor_event(books):
    done = books.stopgap("mitigate", NGINX, "-l", "web1", "--check", "--diff")
    assert done.returncode == 0, done.stdout
    assert "http2_max_concurrent_streams" in done.stdout
    assert books.held("web1") == set()
    assert books.owed() == set()


def test_a_second_mitigate_changes_nothing(books):
    assert books.playbook("mitigate", "-e", f"stopgap_remedies={NGINX}", "-l", "web1").returncode == 0
    again = books.playbook("mitigate", "-e", f"stopgap_remedies={NGINX}", "-l", "web1")
    assert again.returncode == 0
    assert "changed=0" in again.stdout


def waits_for(books):
    (row,) = books.read("debt")["debt"]
    return row["waiting_for"]


def test_a_fix_behind_a_held_lock_leaves_the_mitigation_and_names_the_holder(books):
    assert books.stopgap("mitigate", NGINX, "-l", "web1").returncode == 0
    code = (
        "import fcntl, time; handle = open('/var/lib/dpkg/lock-frontend', 'a'); fcntl.lockf(handle, fcntl.LOCK_EX); "
        "open('/run/held', 'w').close(); time.sleep(600)"
    )
    books.lab.exec("web1", ["systemd-run", "--unit=holder", "--collect", "python3", "-c", code])
    books.lab.exec("web1", ["sh", "-c", "for n in $(seq 100); do [ -e /run/held ] && exit; sleep 0.1; done; exit 1"])
    try:
        done = books.stopgap("fix", NGINX, "-l", "web1", "-e", "stopgap_lock_timeout=1")
    finally:
        books.lab.exec("web1", ["systemctl", "stop", "holder"])
    assert done.returncode == 2, done.stdout
    assert books.states()[("web1", NGINX)] == "mitigated"
    assert "is still held by process" in waits_for(books)


def test_a_fix_from_a_repository_that_is_down_leaves_the_mitigation_and_names_it(books):
    assert books.stopgap("mitigate", NGINX, "-l", "web1").returncode == 0
    line = "deb http://127.0.0.1:9/debian bookworm-security main\n"
    books.lab.write_file("web1", "/etc/apt/sources.list.d/down.list", line)
    try:
        done = books.stopgap("fix", NGINX, "-l", "web1")
    finally:
        books.lab.exec("web1", ["rm", "/etc/apt/sources.list.d/down.list"])
    assert done.returncode == 2, done.stdout
    assert books.states()[("web1", NGINX)] == "mitigated"
    assert "127.0.0.1:9" in waits_for(books)
