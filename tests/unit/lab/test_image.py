"""What an image is made of, and what a failed build says."""

from dataclasses import replace
from pathlib import Path

import pytest

from stopgap.lab.image import Recipe, build_error

RECIPE = Recipe("bookworm", ("nginx",), "http://mirror.example/debian", ('APT::Install-Recommends "false";',))


@pytest.mark.parametrize(
    "change",
    [
        {"suite": "bullseye"},
        {"packages": ("nginx", "openssl")},
        {"packages": ()},
        {"mirror": "http://other.example/debian"},
        {"apt_options": ()},
    ],
)
def test_everything_it_holds_changes_the_key(change):
    assert replace(RECIPE, **change).key != RECIPE.key


def test_the_same_recipe_has_the_same_key():
    assert replace(RECIPE).image == RECIPE.image


def test_a_host_is_born_without_updates():
    command = RECIPE.command(Path("/x/host.tar"))
    assert command[-3:] == ["bookworm", "/x/host.tar", "deb http://mirror.example/debian bookworm main"]
    assert not any("security" in word or "updates" in word for word in command)


@pytest.mark.parametrize(
    ("log", "says"),
    [
        ("E: The repository 'http://m bookworm Release' does not have a Release file.", "does not carry bookworm"),
        ("E: Unable to locate package nginxx", "has no package named nginxx"),
        ("one\ntwo\nE: disk full", "E: disk full"),
    ],
)
def test_a_failed_build_says_what_to_do(log, says):
    assert says in str(build_error(RECIPE, log))


def test_an_unexplained_failure_names_its_log(monkeypatch, tmp_path):
    monkeypatch.setenv("STOPGAP_LAB_DIR", str(tmp_path))
    assert str(RECIPE.log) in str(build_error(RECIPE, "E: something"))
    assert RECIPE.log.is_relative_to(tmp_path)
