"""What only shows when remedies lie side by side. What is wrong inside one: test_remedy_errors."""

import pytest

from stopgap.remedy import UnreadableRemedy
from stopgap.remedy.lint import lint, remedy_files

TASKS = """
mitigations:
  - id: elsewhere
    title: By tasks
    side_effect: none
    disruption: low
    actions:
      - tasks: {apply: on.yml, revert: off.yml}
    checks:
      - service: {name: acme, running: false}
"""


def test_sound_remedies_have_no_problems(write_remedy):
    folder = write_remedy("CVE-2000-0001", more="aliases: [DSA-1-1]").parent
    write_remedy("CVE-2000-0002", more="aliases: [DSA-1-2]")
    assert lint(remedy_files([folder])) == []


def test_an_alias_names_one_remedy_only(write_remedy):
    first = write_remedy("CVE-2000-0001", more="aliases: [DSA-1-1]")
    second = write_remedy("CVE-2000-0002", more="aliases:\n  - DSA-2-1\n  - dsa-1-1")
    (problem,) = lint([first, second])
    assert str(problem).startswith(f"{second}:7: 'dsa-1-1' already names CVE-2000-0001")


def test_an_alias_is_no_other_remedys_id(write_remedy):
    first = write_remedy("CVE-2000-0001", more="aliases: [CVE-2000-0002]")
    (problem,) = lint([first, write_remedy("CVE-2000-0002")])
    assert problem.message.startswith("'CVE-2000-0002' already names CVE-2000-0002")


def test_a_missing_task_file_is_named(write_remedy):
    file = write_remedy(more=TASKS)
    (file.parent / "on.yml").touch()
    (problem,) = lint([file])
    assert problem.line == 12
    assert problem.message == f"there is no task file {file.parent / 'off.yml'}"


def test_a_file_that_would_never_be_found_is_named(write_remedy):
    file = write_remedy()
    file = file.rename(file.with_suffix(".yaml"))
    (problem,) = lint(remedy_files([file.parent]))
    assert problem.message == "only *.yml is looked for: rename it to CVE-2000-0001.yml"


def test_no_text_at_all(write_remedy):
    file = write_remedy()
    file.write_bytes(b"id: x\ntitle: \xff\n")
    (problem,) = lint([file])
    assert (problem.line, problem.message) == (2, "not UTF-8 text: save it as UTF-8")


def test_a_path_that_is_not_there_is_an_error_of_its_own(tmp_path):
    with pytest.raises(UnreadableRemedy, match="no such file or folder"):
        remedy_files([tmp_path / "nothing"])
