"""The catalogue's kernel remedies on recorded facts: lab hosts run the machine's kernel and can have no other."""

import pytest
from tests.unit.collection.test_decide import RecordedFacts

from ansible_collections.stopgap.remediation.plugins.module_utils import decide
from stopgap.collection import collection_root
from stopgap.remedy.catalogue import resolve

REMEDIES = {remedy["id"]: remedy for remedy in resolve(["all"], [collection_root() / "remedies"])}
DEBIAN, EL = "linux-image-amd64", "kernel-core"

# remedy · release · package · installed versions · the kernel that runs · the answer
CASES = [
    ("CVE-2022-0847", "debian-11", DEBIAN, ["5.10.84-1"], "5.10.84-1", "below_fixed"),
    ("CVE-2022-0847", "debian-11", DEBIAN, ["5.10.92-2"], "5.10.84-1", "reboot_due"),
    ("CVE-2022-0847", "debian-11", DEBIAN, ["5.10.92-2"], "5.10.92-2", "awaiting_proof"),
    ("CVE-2022-0847", "debian-12", DEBIAN, ["6.1.176-1"], "6.1.176-1", "not_in_release"),
    ("CVE-2022-0847", "el-8", EL, ["4.18.0-348.12.2.el8_5"], "4.18.0-348.12.2.el8_5", "below_fixed"),
    ("CVE-2024-1086", "debian-12", DEBIAN, ["6.1.69-1"], "6.1.69-1", "below_fixed"),
    ("CVE-2024-1086", "debian-12", DEBIAN, ["6.1.176-1"], "6.1.69-1", "reboot_due"),
    ("CVE-2024-1086", "el-9", EL, ["5.14.0-427.13.1.el9_4"], "5.14.0-427.13.1.el9_4", "awaiting_proof"),
    ("CVE-2022-0492", "debian-11", DEBIAN, ["5.10.92-2"], "5.10.92-2", "below_fixed"),
    ("CVE-2021-33909", "debian-11", DEBIAN, ["5.10.46-1"], "5.10.46-1", "below_fixed"),
    ("CVE-2021-33909", "debian-11", DEBIAN, ["5.10.46-2"], None, "reboot_due"),
    ("CVE-2019-11477", "debian-9", DEBIAN, ["4.9.168-1+deb9u2"], "4.9.168-1+deb9u2", "below_fixed"),
    ("CVE-2019-11477", "debian-9", DEBIAN, ["4.9.168-1+deb9u3"], "4.9.168-1+deb9u2", "reboot_due"),
    ("CVE-2026-31431", "debian-13", DEBIAN, ["6.12.73-1"], "6.12.73-1", "below_fixed"),
    ("CVE-2026-31431", "debian-13", DEBIAN, ["6.12.107-1"], "6.12.73-1", "reboot_due"),
    # Ubuntu's USN-8226-1 ships the mitigation in kmod and no kernel: nothing of it closes the case.
    ("CVE-2026-31431", "ubuntu-24.04", "kmod", ["31+20240202-2ubuntu7.2"], None, "distro_unknown"),
    # Of each stream its own fix.
    ("CVE-2026-31431", "el-9", EL, ["5.14.0-611.49.2.el9_7"], "5.14.0-611.49.2.el9_7", "awaiting_proof"),
    ("CVE-2026-31431", "el-9", EL, ["5.14.0-611.45.1.el9_7"], "5.14.0-611.45.1.el9_7", "below_fixed"),
    ("CVE-2026-31431", "el-9", EL, ["5.14.0-687.5.1.el9_8"], "5.14.0-687.5.1.el9_8", "below_fixed"),
    ("CVE-2026-31431", "el-9", EL, ["5.14.0-687.10.1.el9_8"], "5.14.0-687.10.1.el9_8", "awaiting_proof"),
]


@pytest.mark.parametrize(("identity", "distro", "package", "installed", "kernel", "code"), CASES)
def test_kernel_remedy(identity, distro, package, installed, kernel, code):
    case = {"distro": distro, "kernel": kernel}
    case["installed"] = {package: [{"source_version": version} for version in installed]}
    assert decide.assess(REMEDIES[identity], RecordedFacts(case))["code"] == code


def test_every_kernel_remedy_has_cases():
    kernels = {key for key, remedy in REMEDIES.items() if any(check["type"] == "kernel" for check in remedy["checks"])}
    assert kernels == {identity for identity, *_ in CASES}
