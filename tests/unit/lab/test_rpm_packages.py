"""The texts that make small rpm packages, without building any."""

import xml.etree.ElementTree as tree

import pytest
import yaml

from stopgap.lab.rpm_host import os_release
from stopgap.lab.rpm_packages import Erratum, Rpm, Stream, modules, spec_text, updateinfo

TOOL = Rpm(
    "tool", "2:1.0~rc1-3.el9", files={"/etc/tool.conf": "a\n"}, config=["/etc/tool.conf"], service="/usr/bin/tool"
)


def test_a_version_is_taken_apart_for_the_spec():
    lines = spec_text(TOOL, "/root").splitlines()
    assert {"Epoch: 2", "Version: 1.0~rc1", "Release: 3.el9"} <= set(lines)
    assert {"%config(noreplace) /etc/tool.conf", "/usr/lib/systemd/system/tool.service"} <= set(lines)
    assert (TOOL.file_name, TOOL.nevra) == ("tool-1.0~rc1-3.el9.x86_64.rpm", "tool-2:1.0~rc1-3.el9.x86_64")
    assert Rpm("a", "1-2").nevra == "a-0:1-2.x86_64"
    assert "Epoch" not in spec_text(Rpm("a", "1-2"), "/root")


def test_an_erratum_names_its_cves_and_packages():
    update = tree.fromstring(updateinfo([Erratum("ALSA-1", ["CVE-2026-1"], [TOOL], reboot=True)]))[0]  # noqa: S314
    assert update.find("references/reference").get("id") == "CVE-2026-1"
    package = update.find("pkglist/collection/package")
    assert (package.get("epoch"), package.get("version"), package.get("release")) == ("2", "1.0~rc1", "3.el9")
    assert package.find("reboot_suggested").text == "True"
    assert updateinfo([]) == ""


def test_a_stream_lists_its_packages_and_may_be_the_default():
    stream = Stream("tool", "2", 80, "abc", [TOOL], default=True)
    found = list(yaml.safe_load_all(modules([stream])))
    assert found[0]["data"]["artifacts"]["rpms"] == ["tool-2:1.0~rc1-3.el9.x86_64"]
    assert found[1]["data"] == {"module": "tool", "stream": "2", "profiles": {}}
    assert stream.label == "tool:2:80:abc"


@pytest.mark.parametrize("distro", ["el-9", "fedora-39", "amzn-2023", "sles-15", "opensuse-leap-15"])
def test_a_host_says_what_it_is_in_a_way_that_is_read_back(distro):
    from ansible_collections.stopgap.remediation.plugins.module_utils import system

    assert system.distro_key(system.parse_os_release(os_release(distro))) == distro
