"""CISA's Binding Operational Directive 26-04: how many days a vulnerability may stay open.

Four questions: is it in KEV, is the host publicly exposed, can exploitation be automated, is the technical impact
total? The table is SSVC's "CISA BOD 26-04 Remediation Timelines v1.0.0" (CERTCC/SSVC).
"""

from dataclasses import dataclass

SOURCE = "CISA BOD 26-04, table v1.0.0"


@dataclass(frozen=True, slots=True)
class Timeline:
    """`days` is None for "fix on system upgrade"."""

    days: int | None
    forensics: bool = False  # "& forensic investigation"


UPGRADE = Timeline(None)

#  in KEV, publicly exposed, automatable, technical impact is total
TABLE: dict[tuple[bool, bool, bool, bool], Timeline] = {
    (False, False, False, False): UPGRADE,
    (True, False, False, False): Timeline(14),
    (False, True, False, False): Timeline(60),
    (False, False, True, False): Timeline(60),
    (False, False, False, True): UPGRADE,
    (True, True, False, False): Timeline(14),
    (True, False, True, False): Timeline(14),
    (False, True, True, False): Timeline(14),
    (True, False, False, True): Timeline(14),
    (False, True, False, True): Timeline(14),
    (False, False, True, True): Timeline(60),
    (True, True, True, False): Timeline(3),
    (True, True, False, True): Timeline(3, forensics=True),
    (True, False, True, True): Timeline(3, forensics=True),
    (False, True, True, True): Timeline(3),
    (True, True, True, True): Timeline(3, forensics=True),
}


def timeline(*, kev: bool, exposed: bool, automatable: bool, total: bool) -> Timeline:
    return TABLE[kev, exposed, automatable, total]


def row_of(*, kev: bool, exposed: bool, automatable: bool, total: bool) -> str:
    """The row in words: `in KEV, publicly exposed, not automatable, total technical impact`."""
    return ", ".join(
        (
            "in KEV" if kev else "not in KEV",
            "publicly exposed" if exposed else "not publicly exposed",
            "automatable" if automatable else "not automatable",
            f"{'total' if total else 'partial'} technical impact",
        )
    )
