"""An action of type `tasks`: a site's own Ansible tasks, with the same journal, ledger and checks as the rest."""

from pathlib import Path

import pytest

pytestmark = pytest.mark.lab
FOLDER = Path(__file__).with_name("site_remedies")
REMEDY = "SITE-2026-0001"


def exists(books, path):
    return books.lab.exec("web1", ["test", "-e", path], check=False).returncode == 0


def test_task_files_are_journaled_proven_and_taken_back(books):
    own = ["-l", "web1", "--remedy-path", str(FOLDER)]
    done = books.stopgap("mitigate", REMEDY, *own)
    assert done.returncode == 0, done.stdout + done.stderr
    assert exists(books, "/srv/notice")
    assert books.held("web1") == {REMEDY}
    assert books.states()[("web1", REMEDY)] == "mitigated"

    again = books.stopgap("mitigate", REMEDY, *own)
    assert again.returncode == 0, again.stdout

    done = books.stopgap("lift", REMEDY, *own, "--force", "--reason", "no longer wanted")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not exists(books, "/srv/notice")
    assert not exists(books, "/etc/nginx/conf.d/site-header.conf")
    assert books.owed() == set()


def test_what_the_check_finds_in_force_is_left_in_force_by_lifting(books):
    own = ["-l", "web1", "--remedy-path", str(FOLDER)]
    books.lab.exec("web1", ["sh", "-c", "echo 'patched soon' > /srv/notice"])
    done = books.stopgap("mitigate", REMEDY, *own)
    assert done.returncode == 0, done.stdout + done.stderr
    done = books.stopgap("lift", REMEDY, *own, "--force", "--reason", "no longer wanted")
    assert done.returncode == 0, done.stdout + done.stderr
    assert exists(books, "/srv/notice")
    assert not exists(books, "/etc/nginx/conf.d/site-header.conf")
    books.lab.exec("web1", ["rm", "/srv/notice"])
