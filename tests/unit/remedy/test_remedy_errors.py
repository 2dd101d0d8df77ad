"""Each case file is a broken remedy. `# expect: TEXT` stands on the line to be named, with what is said of it."""

import re
import shutil
from pathlib import Path

import pytest

from stopgap.remedy import InvalidRemedy, load

CASES = sorted((Path(__file__).parents[2] / "cases" / "remedy_errors").glob("*.yml"))
EXPECT = re.compile(r"# expect: (.*)$")


def expected(file: Path) -> list[tuple[int, str]]:
    lines = enumerate(file.read_text().splitlines(), start=1)
    return [(number, match[1]) for number, line in lines if (match := EXPECT.search(line))]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_error_names_the_line_and_the_way_out(case: Path, tmp_path: Path) -> None:
    file = Path(shutil.copy(case, tmp_path / "CVE-2000-0001.yml"))
    with pytest.raises(InvalidRemedy) as raised:
        load(file)
    said = [(problem.line, problem.message) for problem in raised.value.problems]
    wanted = expected(case)
    assert wanted, "the case expects nothing"
    assert [line for line, _ in said] == [line for line, _ in wanted], said
    for (_, message), (_, text) in zip(said, wanted, strict=True):
        assert text in message
    assert str(raised.value).startswith(f"{file}:{wanted[0][0]}: ")


TOO_MUCH = {
    "flow": ("references: " + "[" * 100_000, "nested more than 100 deep"),
    "block": ("references:\n" + "".join(" " * n + "-\n" for n in range(2000)), "nested more than 100 deep"),
    "a list that is in itself": ("references: &all [*all]", "more than 100000 values"),
    "a map that is in itself": ("risk: &all {cvss: *all}", "more than 100000 values"),
    "a map that is merged into itself": ("risk: &all {<<: *all}", "more than 100000 values"),
    "aliases of aliases": (
        "references: [&a0 [x, x]" + "".join(f", &a{n} [{f'*a{n - 1},' * 9}]" for n in range(1, 20)) + "]",
        "more than 100000 values",
    ),
}


@pytest.mark.parametrize(("more", "text"), TOO_MUCH.values(), ids=TOO_MUCH)
def test_what_nobody_writes_by_hand_is_refused_before_it_is_built(more, text, write_remedy):
    with pytest.raises(InvalidRemedy) as raised:
        load(write_remedy(more=more))
    assert text in str(raised.value)


def test_an_alias_that_is_used_again_is_no_problem(write_remedy):
    remedy = load(write_remedy(more="mitigations: &none []\nindicators: *none"))
    assert remedy.mitigations == remedy.indicators == []
