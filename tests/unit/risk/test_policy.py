"""A site's policy: what is wrong with one, said with its line."""

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from stopgap.risk.errors import InvalidPolicy
from stopgap.risk.policy import NONE, Assume, Policy, load_policy

PAGE = Path(__file__).parents[3] / "docs/reference/risk.md"


@pytest.fixture
def policy(tmp_path):
    def write(text):
        file = tmp_path / "policy.yml"
        file.write_text(text)
        return file

    return write


def test_the_example_of_the_page_is_good(policy):
    (example,) = re.findall(r"```yaml\n(.+?)```", PAGE.read_text(), re.DOTALL)
    told = load_policy(policy(example))
    assert told.rules
    assert told.assume.model_fields_set


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("", ["1: the file is empty; see docs/reference/risk.md"]),
        ("# rules to come\n", ["1: the file is empty; see docs/reference/risk.md"]),
        (
            "apiVersion: stopgap/v1\nrules:\n  - when: {kev: true, owner: }\n    days: 365\n    why: x",
            ["3: rules.0.when: owner has no value: give it one, or leave it out"],
        ),
        (
            "apiVersion: stopgap/v1\nrules: [{when: {exposure: []}, days: 3, why: x}]",
            ["2: rules.0.when: exposure has no value"],
        ),
        ("apiVersion: stopgap/v1\nrulez: []", ["2: unknown key 'rulez'; did you mean 'rules'?"]),
        ("rules: []", ["1: the key 'apiVersion' is missing"]),
        ("apiVersion: stopgap/v2", ["1: apiVersion: Input should be 'stopgap/v1'"]),
        (
            "apiVersion: stopgap/v1\nrules:\n  - {days: 3, why: x}\n"
            "  - when: {exposed: true}\n    days: -1\n    why: y",
            ["4: unknown key 'exposed'; did you mean 'exposure'?", "5: rules.1.days: Input should be greater than"],
        ),
        ("apiVersion: stopgap/v1\nrules:\n  - {days: 3}", ["3: the key 'why' is missing in rules.0"]),
        ("apiVersion: stopgap/v1\nrules:\n  - {why: x}", ["3: rules.0: give either days or next_upgrade: true"]),
        ("apiVersion: stopgap/v1\nrules:\n  - {days: 1, next_upgrade: true, why: x}", ["3: rules.0: give either"]),
        (
            "apiVersion: stopgap/v1\nrules:\n  - {days: true, why: x}\n"
            "  - {when: {epss_at_least: on}, days: 3, why: y}\nrecheck:\n  - {days: yes, every: 1h}\n  - {every: 1d}",
            ["3: rules.0.days: YAML reads this", "4: rules.1.when.epss_at_least: YAML", "6: recheck.0.days: YAML"],
        ),
        ("apiVersion: stopgap/v1\nassume:\n  exposure: inside", ["3: assume.exposure: Input should be 'internet'"]),
        ("apiVersion: stopgap/v1\nassume: {a: 1}\nassume: {}", ["3: the key 'assume' stands here twice"]),
        ("apiVersion: [", ["broken YAML"]),
        ("apiVersion: stopgap/v1\nrules: !!python/object:os.system x", ["broken YAML"]),
    ],
)
def test_a_wrong_policy_names_its_lines(policy, text, sentences):
    file = policy(text)
    with pytest.raises(InvalidPolicy) as raised:
        load_policy(file)
    for sentence in sentences:
        assert sentence in str(raised.value)
    assert str(raised.value).startswith(f"{file}:")


def test_a_policy_that_cannot_be_read(tmp_path):
    with pytest.raises(InvalidPolicy, match=r"the policy cannot be read: .*No such file"):
        load_policy(tmp_path / "none.yml")


def test_without_a_policy_the_worse_is_assumed():
    assert NONE.assume == Assume(
        exposure="internet", criticality="critical", severity="critical", automatable=True, technical_impact="total"
    )
    assert not NONE.rules


def test_epss_is_a_share():
    with pytest.raises(ValidationError):
        Policy.model_validate(
            {"apiVersion": "stopgap/v1", "rules": [{"when": {"epss_at_least": 50}, "days": 1, "why": "x"}]}
        )
