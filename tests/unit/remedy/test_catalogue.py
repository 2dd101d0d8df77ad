"""How a remedy is found."""

import os
import subprocess
import sys

import pytest

from stopgap.collection import collection_root
from stopgap.remedy import UnknownRemedy, UnreadableRemedy, catalogue, find, resolve, search_path


@pytest.fixture
def as_anybody(tmp_path):
    """Run `stopgap remedy` in an empty folder without root's right to read everything."""

    def run(*words):
        drop = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
        command = [*drop, sys.executable, "-m", "stopgap", "remedy", *words]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    return run


def test_shipped_remedies_come_last(write_remedy, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    site = write_remedy(folder="site").parent
    local = write_remedy(folder="remedies").parent
    assert search_path([site]) == [site, local, collection_root() / "remedies"]


def test_without_a_local_folder_only_the_shipped_ones_are_there(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert search_path() == [collection_root() / "remedies"]


def test_a_given_folder_that_is_missing_is_an_error(tmp_path):
    with pytest.raises(UnreadableRemedy, match="is not a folder of remedies: check --path"):
        search_path([tmp_path / "remedeis"])


def test_a_site_overrides_what_ships(write_remedy):
    shipped = write_remedy(folder="shipped")
    own = write_remedy(folder="own")
    assert find("CVE-2000-0001", [own.parent, shipped.parent]) == own
    assert list(catalogue([own.parent, shipped.parent])) == [own]


@pytest.mark.parametrize("wanted", ["CVE-2000-0001", "cve-2000-0001", " CVE-2000-0001 ", "DSA-1-1", "dsa-1-1"])
def test_id_and_alias_in_any_case(write_remedy, wanted):
    file = write_remedy(more="aliases: [DSA-1-1]")
    assert find(wanted, [file.parent]) == file


def test_an_unknown_id_says_what_is_near_and_where_it_looked(write_remedy):
    folder = write_remedy().parent
    with pytest.raises(UnknownRemedy) as raised:
        find("CVE-2000-001", [folder])
    assert str(raised.value) == f"no remedy 'CVE-2000-001'; near: CVE-2000-0001; looked in {folder}"


def test_an_alias_of_two_remedies_is_no_answer(write_remedy):
    write_remedy("CVE-2000-0002", more="aliases: [DSA-1-1]")
    folder = write_remedy("CVE-2000-0001", more="aliases: [DSA-1-1]").parent
    with pytest.raises(UnknownRemedy, match="alias of several remedies"):
        find("DSA-1-1", [folder])


def test_a_broken_neighbour_does_not_hide_an_alias(write_remedy):
    write_remedy("CVE-2000-0002").write_text("a: [")
    file = write_remedy("CVE-2000-0001", more="aliases: [DSA-1-1]")
    assert find("DSA-1-1", [file.parent]) == file


def test_no_path_out_of_the_folder(write_remedy):
    folder = write_remedy().parent
    with pytest.raises(UnknownRemedy):
        find(f"../{folder.name}/CVE-2000-0001", [folder])


def test_what_an_editor_keeps_beside_a_remedy_is_none(write_remedy):
    file = write_remedy()
    (file.parent / f".#{file.name}").symlink_to("somebody@a-laptop.4711")  # Emacs, while the file is open
    assert list(catalogue([file.parent])) == [file]


def test_a_pipe_is_not_waited_for(write_remedy):
    file = write_remedy("CVE-2000-0001", more="aliases: [DSA-1-1]")
    os.mkfifo(file.parent / "CVE-2000-0002.yml")
    assert find("DSA-1-1", [file.parent]) == file
    with pytest.raises(UnreadableRemedy, match=r"CVE-2000-0002\.yml: not a file"):
        resolve(["CVE-2000-0002"], [file.parent])


@pytest.mark.parametrize("words", [("show", "CVE-2024-6387"), ("list",), ("lint",)], ids=" ".join)
def test_a_folder_that_we_may_not_read_is_not_passed_over(words, as_anybody, tmp_path):
    """Its own remedy would be taken for ours of the same id."""
    (tmp_path / "remedies").mkdir(mode=0)
    done = as_anybody(*words)
    assert done.returncode == 1
    assert "remedies is not a folder of remedies: check" in done.stderr


def test_a_file_that_we_may_not_read_is_a_problem_of_lint(write_remedy, as_anybody):
    file = write_remedy()
    file.chmod(0)
    done = as_anybody("lint", str(file.parent))
    assert (done.returncode, done.stdout) == (1, f"{file}:1: {file}: Permission denied\n")


def test_what_stands_beside_a_remedy_and_we_may_not_read_is_a_problem_of_lint(write_remedy, as_anybody):
    file = write_remedy()
    beside = file.parent / "tests" / file.name
    beside.parent.mkdir()
    beside.touch(mode=0)
    done = as_anybody("lint", str(file.parent))
    assert (done.returncode, done.stdout) == (1, f"{beside}:1: {beside}: Permission denied\n")
