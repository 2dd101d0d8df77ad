"""The commands' words."""

import pytest
from typer.testing import CliRunner

from stopgap.cli.lab import app
from stopgap.lab import command
from stopgap.lab.errors import CommandError, LabError


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("STOPGAP_LAB_DIR", str(tmp_path))
    monkeypatch.delenv("STOPGAP_LAB_NAME", raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["up", "web1"], "NAME=SUITE"),
        (["up", "--name", "../x", "web1=bookworm"], "no lab name"),
        (["security", "web1"], "lab security HOST... on"),
        (["security", "on"], "lab security HOST... on"),
        (["security", "--all", "web1", "on"], "lab security HOST... on"),
        (["inventory", "--name", "none"], "lab up"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_1(words, says):
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 1
    assert says in result.output
    assert result.output.count("\n") == 1


def test_inventory_prints_the_path(state):
    (state / "try").mkdir()
    (state / "try" / "hosts.yml").touch()
    result = CliRunner().invoke(app, ["inventory"], env={"STOPGAP_LAB_NAME": "try"})
    assert (result.exit_code, result.output) == (0, f"{state}/try/hosts.yml\n")


def test_an_expected_failure_comes_back():
    assert command.run(["sh", "-c", "exit 3"], check=False).returncode == 3


def test_an_unexpected_failure_says_what_and_why():
    with pytest.raises(CommandError, match="exit code 3: because"):
        command.run(["sh", "-c", "echo because >&2; exit 3"])


def test_a_missing_program_names_the_way_out():
    with pytest.raises(LabError, match="lab setup"):
        command.run(["stopgap-no-such-program"])


def test_input_is_passed_as_it_is():
    assert command.run(["cat"], stdin=b"a\xc3\xa9").stdout == "aé"
