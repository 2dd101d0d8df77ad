"""CVE-2025-49844, an action of type `command`, on a real redis: what the ACL closes and what a restart undoes."""

import pytest

pytestmark = pytest.mark.lab
REMEDY = "CVE-2025-49844"


def redis(books, *words):
    return books.lab.exec("cache1", ["redis-cli", *words]).stdout.strip()


def test_a_restart_loses_the_acl_and_recheck_says_so_loudly(books):
    assert books.stopgap("mitigate", REMEDY, "-l", "cache1").returncode == 0
    assert redis(books, "EVAL", "return 1", "0").startswith("NOPERM")
    assert redis(books, "SET", "key", "value") == "OK"  # only scripting is closed

    books.lab.exec("cache1", ["systemctl", "restart", "redis-server"])
    done = books.stopgap("recheck", REMEDY, "-l", "cache1")

    assert done.returncode == 2, done.stdout
    (case,) = [one for one in books.read("status")["cases"] if one["remedy"] == REMEDY]
    assert case["state"] == "exposed"
    assert case["reason"].startswith("mitigation lost, fix absent")
    assert books.stopgap("mitigate", REMEDY, "-l", "cache1").returncode == 0
    assert books.states()[("cache1", REMEDY)] == "mitigated"


def test_denying_eval_alone_is_not_taken_for_the_mitigation(books):
    assert redis(books, "ACL", "SETUSER", "default", "-eval", "-evalsha") == "OK"
    try:
        books.stopgap("assess", REMEDY, "-l", "cache1")
        assert books.states()[("cache1", REMEDY)] == "exposed"
        assert books.stopgap("mitigate", REMEDY, "-l", "cache1").returncode == 0
        assert redis(books, "SCRIPT", "FLUSH").startswith("NOPERM")
    finally:
        books.stopgap("lift", REMEDY, "-l", "cache1", "--force", "--reason", "end of a test")
        redis(books, "ACL", "SETUSER", "default", "+@all")


def test_lifting_restores_scripting(books):
    before = redis(books, "ACL", "LIST")
    assert books.stopgap("mitigate", REMEDY, "-l", "cache1").returncode == 0
    assert books.stopgap("lift", REMEDY, "-l", "cache1", "--force", "--reason", "the workers need Lua").returncode == 0
    assert redis(books, "EVAL", "return 1", "0") == "1"
    assert "-@scripting" not in redis(books, "ACL", "LIST"), before
