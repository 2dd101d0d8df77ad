"""The JSON Schema on disk is what the models say."""

from pathlib import Path

from stopgap.remedy import load
from stopgap.remedy.schema import as_text, json_schema
from stopgap.remedy.types import ACTIONS, CHECKS, PROBES, STEPS

ROOT = Path(__file__).parents[3]


def test_schema_file_is_up_to_date():
    file = ROOT / "docs" / "reference" / "remedy.schema.json"
    assert file.read_text() == as_text(), f"stopgap remedy schema > {file.relative_to(ROOT)}"


def test_every_type_is_in_the_schema_and_in_the_reference():
    definitions = json_schema()["$defs"]
    reference = (ROOT / "docs" / "reference" / "remedy-format.md").read_text()
    for kind, registry in (("action", ACTIONS), ("probe", PROBES), ("step", STEPS), ("check", CHECKS)):
        for name in registry:
            assert definitions[f"{kind}_{name}"]["required"] == [name]
            assert f"`{name}`" in reference


def test_unknown_keys_are_errors_everywhere():
    objects = [found for found in json_schema()["$defs"].values() if found.get("type") == "object"]
    assert objects
    assert all(found["additionalProperties"] is False for found in objects)


def test_example_of_the_reference_is_a_remedy(tmp_path):
    reference = (ROOT / "docs" / "reference" / "remedy-format.md").read_text()
    file = tmp_path / "CVE-2024-6387.yml"
    file.write_text(reference.split("```yaml\n")[1].split("```")[0])
    assert load(file).id == file.stem
