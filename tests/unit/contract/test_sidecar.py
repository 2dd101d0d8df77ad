"""What stands beside a remedy for its trial: read, refused with its line, and never taken for a remedy."""

import pytest
from tests.books import TOP

from stopgap.contract.sidecar import Surroundings, load_sidecar, sidecar_problems
from stopgap.contract.steps import FIX_STEPS, MITIGATION_STEPS
from stopgap.remedy import InvalidRemedy, catalogue


@pytest.fixture
def beside(tmp_path):
    """Writes tests/CVE-2000-0001.yml beside a remedy, and gives the remedy's path."""

    def write(text, name="CVE-2000-0001.yml"):
        remedy = tmp_path / "CVE-2000-0001.yml"
        remedy.write_text("apiVersion: stopgap/v1\n")
        (tmp_path / "tests").mkdir()
        (tmp_path / "tests" / name).write_text(text)
        return remedy

    return write


def test_commands_are_lists_or_words(beside):
    told = load_sidecar(beside("suite: trixie\nprepare:\n  - nginx -t\n  - [systemctl, reload, nginx]\n"))
    assert told.prepare == [["nginx", "-t"], ["systemctl", "reload", "nginx"]]


def test_a_remedy_without_one_has_nothing_special(tmp_path):
    assert load_sidecar(tmp_path / "CVE-2000-0001.yml").prepare == []


def test_an_unknown_key_says_where_and_what_was_meant(beside):
    with pytest.raises(
        InvalidRemedy, match=r"tests/CVE-2000-0001.yml:2: unknown key 'prepair'; did you mean 'prepare'"
    ):
        load_sidecar(beside("suite: trixie\nprepair: []\n"))


def test_a_file_of_no_remedy_is_a_problem(beside):
    (problem,) = sidecar_problems([beside("suite: trixie\n", name="CVE-2000-0002.yml")])
    assert "there is no remedy" in problem.message


def test_it_is_never_taken_for_a_remedy(beside, tmp_path):
    remedy = beside("suite: trixie\n")
    assert list(catalogue([tmp_path])) == [remedy]


def test_the_example_of_the_docs_is_sound_and_names_every_key(beside):
    text = (TOP / "docs/how-to/write-a-remedy.md").read_text()
    example = text.rpartition("```yaml\n")[2].partition("```")[0]
    told = load_sidecar(beside(example))
    assert told.model_fields_set == set(Surroundings.model_fields)


def test_the_docs_name_every_step():
    text = (TOP / "docs/how-to/write-a-remedy.md").read_text()
    assert [step for step in (*MITIGATION_STEPS, *FIX_STEPS) if f"| {step} |" not in text] == []
