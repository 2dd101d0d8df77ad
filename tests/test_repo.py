"""The repository tests itself: what the rules say about the tree is true of the tree."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

TOP = Path(__file__).parents[1]
COLLECTION = TOP / "collections/ansible_collections/stopgap/remediation"
PLUGINS = COLLECTION / "plugins"
TESTS = "\n".join(p.read_text() for p in (TOP / "tests").rglob("*") if p.suffix in (".py", ".yml"))


def imports(path: Path) -> set[str]:
    """Every module that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
    return found


def files(folder: Path, pattern: str = "*.py") -> list[Path]:
    return sorted(p for p in folder.rglob(pattern) if "__pycache__" not in p.parts)


def named(folder: Path) -> list[str]:
    """The names of the one-file-each things in a folder."""
    return sorted(p.stem for p in folder.glob("*.py") if p.stem != "__init__")


@pytest.mark.parametrize("path", files(TOP / "src"), ids=str)
def test_the_package_never_imports_ansible(path):
    ansible = {name for name in imports(path) if name.split(".")[0] in ("ansible", "ansible_collections")}
    runner = {name for name in imports(path) if name.split(".")[0] == "ansible_runner"}
    assert not ansible
    assert not runner or path == TOP / "src/stopgap/engine/run.py"


@pytest.mark.parametrize("path", files(COLLECTION), ids=str)
def test_the_collection_never_imports_the_package(path):
    assert "stopgap" not in {name.split(".")[0] for name in imports(path)}


@pytest.mark.parametrize("path", files(PLUGINS / "module_utils"), ids=str)
def test_target_code_imports_only_the_standard_library(path):
    ours = "ansible_collections.stopgap.remediation.plugins.module_utils"
    assert {name.split(".")[0] for name in imports(path) if not name.startswith(ours)} <= sys.stdlib_module_names


@pytest.mark.parametrize("path", [*files(TOP / "src"), *files(PLUGINS)], ids=str)
def test_no_python_is_started_that_imports_from_the_current_folder(path):
    """-m puts it before all else: in /tmp that is anybody's code."""
    assert not re.search(r'executable, "-m"', path.read_text())


def test_versions_are_equal():
    package = re.search(r'__version__ = "(.+)"', (TOP / "src/stopgap/__init__.py").read_text()).group(1)
    galaxy = yaml.safe_load((COLLECTION / "galaxy.yml").read_text())["version"]
    assert package == galaxy
    assert f"## {package}" in (TOP / "CHANGELOG.md").read_text()


@pytest.mark.parametrize("name", named(PLUGINS / "modules"))
def test_every_module_is_documented_and_tested(name):
    text = (PLUGINS / "modules" / f"{name}.py").read_text()
    assert all(f"{part} = r" in text for part in ("DOCUMENTATION", "EXAMPLES", "RETURN"))
    assert re.search(rf"\b{name}\b", TESTS)


ON_THE_CONTROLLER = {"connections", "outcome", "remedies"}


@pytest.mark.parametrize("name", sorted(set(named(PLUGINS / "modules")) - ON_THE_CONTROLLER))
def test_examples_can_be_copied_as_they_are(name):
    """Journal, packages and the maps of processes are root's: without it the answer is an error, or unknown."""
    text = (PLUGINS / f"modules/{name}.py").read_text().partition('EXAMPLES = r"""')[2].partition('"""')[0]
    ours = [task for task in yaml.safe_load(text) if f"stopgap.remediation.{name}" in task]
    assert [task["name"] for task in ours if task.get("become") is not True] == []


@pytest.mark.parametrize("path", sorted((PLUGINS / "modules").glob("*.py")), ids=lambda p: p.stem)
def test_modules_are_thin(path):
    mains = [n for n in ast.parse(path.read_text()).body if isinstance(n, ast.FunctionDef) and n.name == "main"]
    assert all(main.end_lineno - main.lineno < 50 for main in mains)


@pytest.mark.parametrize("name", named(PLUGINS / "module_utils/actions"))
def test_every_action_has_its_page_and_its_run_on_a_real_host(name):
    assert (TOP / f"docs/reference/actions/{name}.md").is_file()
    real = [path for path in (TOP / "tests/e2e").rglob("*") if path.suffix in (".py", ".yml")]
    assert re.search(rf"\b{name}\b", "\n".join(path.read_text() for path in real))


@pytest.mark.parametrize("name", named(PLUGINS / "module_utils/probes"))
def test_every_probe_is_tested(name):
    assert f"{name}" in (TOP / "tests/unit/collection/test_probes.py").read_text()


@pytest.mark.parametrize("name", sorted(set(named(TOP / "src/stopgap/verify/checks"))))
def test_every_check_is_described_and_tested(name):
    assert f"`{name}" in (TOP / "docs/reference/checks.md").read_text()
    tests = (path.read_text() for path in (TOP / "tests/unit/verify").glob("test_check*.py"))
    assert re.search(rf'"{name}"', "\n".join(tests))


SENT = [TOP / "src/stopgap/verify/agent.py", *files(TOP / "src/stopgap/verify/checks/on_host")]


@pytest.mark.parametrize("path", [*files(PLUGINS / "module_utils"), *SENT], ids=str)
def test_target_code_is_python_3_6(path):
    text = path.read_text()
    ast.parse(text, feature_version=(3, 6))
    assert not re.search(r"from __future__ import annotations|capture_output=|\btext=True", text)


def test_every_remedy_goes_through_its_contract():
    from tests.e2e.test_contract import CATALOGUE

    assert sorted((COLLECTION / "remedies").glob("*.yml")) == CATALOGUE


@pytest.mark.parametrize("path", sorted((TOP / "playbooks").glob("*.yml")), ids=lambda p: p.stem)
def test_playbooks_are_a_few_lines_and_a_verb(path):
    assert len(path.read_text().splitlines()) <= 30
    assert f'"{path.stem}"' in (TOP / "src/stopgap/cli/main.py").read_text()


def test_no_machine_path_and_no_mirror_is_committed():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=TOP, capture_output=True, text=True, check=True).stdout
    # spelled apart, so that this file does not find itself
    forbidden = re.compile("|".join(["/wo" + "rk/", "/ro" + "ot/.py" + "env", "deb." + "debian.org"]))
    paths = [TOP / name for name in listed.split("\0") if name and (TOP / name).is_file()]
    assert [str(p) for p in paths if forbidden.search(p.read_text(errors="replace"))] == []


def test_local_links_in_the_docs_lead_somewhere():
    for page in [*(TOP / "docs").rglob("*.md"), TOP / "README.md", TOP / "CONTRIBUTING.md"]:
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page}: {target}"


def test_every_play_variable_is_in_the_reference():
    spec = yaml.safe_load((COLLECTION / "roles/remediate/meta/argument_specs.yml").read_text())
    page = (TOP / "docs/reference/usage.md").read_text()
    assert [name for name in spec["argument_specs"]["main"]["options"] if f"`{name}`" not in page] == []


def test_every_environment_variable_is_in_the_reference():
    read = "\n".join(path.read_text() for path in [*files(TOP / "src"), *files(PLUGINS)])
    page = (TOP / "docs/reference/usage.md").read_text()
    assert [name for name in sorted(set(re.findall(r"STOPGAP_[A-Z_]+", read))) if f"`{name}`" not in page] == []
