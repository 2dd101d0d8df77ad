"""What zypper says and what it means, on recorded answers; zypper itself answers in tests/e2e/test_zypper_lab.py."""

import pytest

from ansible_collections.stopgap.remediation.plugins.module_utils.packages import zypper
from ansible_collections.stopgap.remediation.plugins.module_utils.packages.tools import InstallError, Result


def message(kind, text):
    return f'<message type="{kind}">{text}</message>\n'


PLAN = '<install-summary><to-upgrade><solvable type="package" name="x" edition="1-2" arch="x86_64"/></to-upgrade>'
CONFLICT = "<prompt><description>Problem: {}\n Solution 1: do not install x\n</description></prompt>"


@pytest.fixture
def answers(monkeypatch):
    """zypper's next exit codes; a preview and an installation take one each. Returns what was asked."""

    def put(*results):
        left, calls = [result if isinstance(result, Result) else Result(result, PLAN) for result in results], []

        def run(argv, timeout, **environment):
            calls.append((argv, environment))
            return left.pop(0)

        monkeypatch.setattr(zypper, "run", run)
        monkeypatch.setattr(zypper.locks, "wait", lambda *_: 7)
        return calls

    return put


# zypper(8), EXIT CODES
@pytest.mark.parametrize(
    ("rc", "note"),
    [
        (0, ""),
        (100, ""),
        (101, ""),
        (102, "zypper says a reboot is due"),
        (106, "zypper left out a repository that it could not refresh"),
        (107, "a script of a package failed"),
    ],
)
def test_codes_that_say_done(answers, rc, note):
    calls = answers(0, rc)
    assert zypper.transact(["x.x86_64=1-2"], [], 60) == note
    assert len(calls) == 2


def test_103_is_zypper_renewed_and_asked_once_more(answers):
    calls = answers(0, 103, 0)
    assert zypper.transact(["x.x86_64=1-2"], [], 60) == ""
    assert calls[1] == calls[2]


@pytest.mark.parametrize(
    ("rc", "output", "code", "clean"),
    [
        (4, CONFLICT.format("nothing provides libx needed by x-1-2.x86_64"), "dependencies", True),
        (4, CONFLICT.format("x-1-2.x86_64 conflicts with y"), "dependencies", True),
        (
            4,
            "<prompt><description>Problem: conflicting requests\n Solution 1: remove lock to allow installation",
            "held",
            True,
        ),
        (5, message("error", "Root privileges are required"), "zypper_failed", False),
        (6, message("error", "No repositories defined"), "zypper_failed", False),
        (
            7,
            message("error", "System management is locked by the application with pid 9 (zypper)."),
            "lock_timeout",
            True,
        ),
        (8, message("error", "File './x.rpm' not found on medium 'http://h/'"), "download_failed", True),
        (8, message("error", "Signature verification failed for file 'x.rpm'"), "unauthenticated", True),
        (
            8,
            message("error", "Installation of x failed:\nError: Subprocess failed. Error: RPM failed: rc 1"),
            "rpm_failed",
            False,
        ),
        (8, message("error", "Not enough space available"), "disk_full", False),
        (104, message("error", "No provider of 'x = 1-2' found."), "no_candidate", True),
        (1, message("error", "Unexpected exception."), "zypper_failed", False),
    ],
)
def test_codes_that_say_no(answers, rc, output, code, clean):
    answers(0, Result(rc, output))
    with pytest.raises(InstallError) as caught:
        zypper.transact(["x.x86_64=1-2"], [], 60)
    assert (caught.value.code, caught.value.clean) == (code, clean)
    assert caught.value.reason.startswith("zypper: ")


def test_a_preview_that_fails_has_changed_nothing(answers):
    answers(Result(8, message("error", "Unexpected exception.")))
    with pytest.raises(InstallError) as caught:
        zypper.transact(["x.x86_64=1-2"], [], 60)
    assert caught.value.clean


def test_a_solvers_problem_is_told_without_its_proposals():
    assert zypper.told(CONFLICT.format("x conflicts with y\n provided by z")) == [
        "Problem: x conflicts with y provided by z"
    ]


def test_a_refresh_that_says_0_is_read_all_the_same(answers):
    down = message("error", "Repository &apos;down&apos; is invalid.") + message("info", "All else is up to date.")
    calls = answers(Result(0, down), Result(0, message("info", "All repositories have been refreshed.")), 4)
    assert [zypper.update(60) for _ in range(3)] == ["Repository 'down' is invalid.", "", "zypper refresh: exit code 4"]
    assert calls[0][1] == {"ZYPP_LOCK_TIMEOUT": "7"}  # it waits for its own lock itself


REMOVING = (
    '<install-summary><to-upgrade><solvable type="package" name="greedy" edition="1-2" edition-old="1-1" arch="x86_64" '
    'arch-old="x86_64"/></to-upgrade><to-remove><solvable type="package" name="bystander" edition="1-1" arch="x86_64"/>'
    '</to-remove><to-change-arch><solvable type="package" name="twice" edition="1-2" arch="x86_64" arch-old="i686"/>'
    "</to-change-arch></install-summary>"
)


def test_what_a_plan_takes_away(answers):
    assert zypper.erased(REMOVING) == ["bystander", "twice.i686"]
    calls = answers(Result(0, REMOVING))
    with pytest.raises(InstallError, match=r"zypper would remove bystander, twice\.i686"):
        zypper.transact(["greedy.x86_64=1-2"], [], 60)
    assert len(calls) == 1  # and nothing was asked beyond the preview


SEARCH = """<search-result version="0.0"><solvable-list>
<solvable status="other-version" name="x" kind="package" edition="1:1.0-3" arch="x86_64" repository="a"/>
<solvable status="other-version" name="x" kind="package" edition="0:1.0-2" arch="i586" repository="a &amp; b"/>
<solvable status="installed" name="x" kind="package" edition="1:1.0-1" arch="x86_64" repository="(System Packages)"/>
</solvable-list></search-result>"""


def test_what_is_only_installed_is_not_offered(monkeypatch):
    output = zypper.command.Output(0, SEARCH, "")
    monkeypatch.setattr(zypper.command, "execute", lambda argv, timeout: output)
    assert zypper.offers(["x"]) == {"x": {"1:1.0-3": {"x86_64"}, "1.0-2": {"i586"}}}
    monkeypatch.setattr(zypper.command, "execute", lambda argv, timeout: zypper.command.Output(104, "", ""))
    assert zypper.offers(["x"]) == {}


def test_what_a_plan_moves(answers):
    upgraded = 'type="package" name="x" edition="1:1-2" arch="x86_64" edition-old="0:1-1" arch-old="x86_64"'
    plan = (
        f"<install-summary><to-upgrade><solvable {upgraded}><description>d</description></solvable></to-upgrade>"
        f'<to-install><solvable type="package" name="y" edition="1-1" arch="noarch" summary="s"/></to-install>'
        f"<to-change-vendor><solvable {upgraded}/></to-change-vendor></install-summary>"
    )
    answers(Result(0, plan))
    assert zypper.moves(["x.x86_64=1:1-2"]) == [
        {"name": "x", "arch": "x86_64", "before": "1-1", "after": "1:1-2"},
        {"name": "y", "arch": "noarch", "before": None, "after": "1-1"},
    ]
