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
