"""What a host may be asked to be."""

import pytest

from stopgap.lab import HostSpec, LabError
from stopgap.lab.hosts import expand, require_unique
from stopgap.lab.lab import natural


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("web1=bookworm", HostSpec("web1", "bookworm")),
        ("web1=bookworm:", HostSpec("web1", "bookworm")),
        ("web-1=bookworm:openssl,nginx", HostSpec("web-1", "bookworm", ("nginx", "openssl"))),
        ("a=trixie:libstdc++6,nginx,nginx", HostSpec("a", "trixie", ("libstdc++6", "nginx"))),
    ],
)
def test_words_become_a_spec_and_back(text, spec):
    assert HostSpec.parse(text) == spec
    assert HostSpec.parse(str(spec)) == spec


@pytest.mark.parametrize(
    "text",
    [
        "web1",
        "=bookworm",
        "Web=bookworm",
        "-w=bookworm",
        "w" * 40 + "=bookworm",
        "a b=bookworm",
        "a=",
        "a=book/worm",
        "a=--help",
        "a=bookworm:--purge",
        "a=bookworm:nginx;id",
        "bookworm=bookworm",
    ],
)
def test_nonsense_is_refused_in_one_sentence(text):
    with pytest.raises(LabError) as caught:
        HostSpec.parse(text)
    assert "\n" not in str(caught.value)


def test_count_numbers_the_hosts():
    names = [spec.name for spec in expand([HostSpec("n", "bookworm", ("nginx",))], 3)]
    assert names == ["n1", "n2", "n3"]


def test_without_count_names_stay():
    assert expand([HostSpec("n", "bookworm")], 0) == [HostSpec("n", "bookworm")]


def test_a_name_given_twice_is_refused():
    with pytest.raises(LabError, match="named twice"):
        require_unique([HostSpec("n", "bookworm"), HostSpec("n", "bullseye")])


def test_hosts_sort_as_people_count():
    assert sorted(["n10", "n2", "web", "n1"], key=natural) == ["n1", "n2", "n10", "web"]
