"""What needrestart 3.6 prints in batch mode; a real one answers in tests/e2e/test_checks_lab.py."""

import pytest
from tests.unit.verify.asking import ask, word

SAYS = (
    "NEEDRESTART-VER: 3.6\nNEEDRESTART-KCUR: 6.1.0-1\nNEEDRESTART-KEXP: 6.1.0-2\nNEEDRESTART-KSTA: {}\n"
    "NEEDRESTART-UCSTA: {}\nNEEDRESTART-SVC: nginx.service\nNEEDRESTART-SVC: php8.2-fpm.service\n"
    "NEEDRESTART-SESS: root @ session #4\n"
)

FINE = SAYS.format(1, 1)


@pytest.fixture
def tool(fake_tool):
    def make(text=FINE, rc=0, uid=0):
        return fake_tool(needrestart=f"cat <<'END'\n{text}END\nexit {rc}", id=f"echo {uid}")

    return make


@pytest.mark.parametrize(
    ("states", "params", "verdict", "said"),
    [
        ((1, 1), {"nothing_of": ["kernel", "microcode", "containers"]}, "pass", "the kernel is current"),
        ((3, 1), {"nothing_of": ["kernel"]}, "fail", "expected is 6.1.0-2"),
        ((2, 1), {"nothing_of": ["kernel"]}, "fail", "not current"),
        ((0, 1), {"nothing_of": ["kernel"]}, "unknown", "does not know of the kernel"),
        ((1, 2), {"nothing_of": ["microcode"]}, "fail", "not current"),
        ((1, 0), {"nothing_of": ["microcode"]}, "unknown", "does not know of the microcode"),
        ((1, 1), {"nothing_of": ["services"]}, "fail", "2 services need a restart: nginx.service, php8.2-fpm.service"),
        ((1, 1), {"nothing_of": ["sessions"]}, "fail", "root @ session #4"),
        ((0, 1), {"nothing_of": ["kernel", "sessions"]}, "fail", "session"),
        ((1, 1), {"unit": "nginx"}, "fail", "nginx needs a restart"),
        ((1, 1), {"unit": "php8.2-fpm"}, "fail", "php8.2-fpm needs a restart"),
        ((1, 1), {"unit": "ssh"}, "pass", "ssh needs no restart"),
    ],
    ids=str,
)
def test_what_it_says(tool, states, params, verdict, said):
    found = ask(tool(SAYS.format(*states)), "needrestart", params)
    assert (found[0], said in found[1]) == (verdict, True), found


def test_p04_no_answer_is_unknown(tool, host, fake_tool):
    params = {"nothing_of": ["services"]}
    assert word(tool(""), "needrestart", params) == "unknown"
    assert word(tool(rc=1), "needrestart", params) == "unknown"
    assert word(tool("NEEDRESTART-VER: 3.6\n"), "needrestart", {"nothing_of": ["kernel"]}) == "unknown"
    assert ask(tool(uid=7), "needrestart", params)[1] == "needrestart sees every process as root only"
    assert word(tool(), "needrestart", {"nothing_of": ["no_such"]}) == "unknown"
    absent = fake_tool(needrestart="exit 127", id="echo 0")
    assert word(absent, "needrestart", {"unit": "ssh"}) == "unknown"
