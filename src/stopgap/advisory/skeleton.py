"""The text of a remedy that is still to be written: what an advisory knows, and `# TODO:` where it does not."""

import json
import re
import textwrap
from collections.abc import Iterator

from stopgap.advisory.model import Advisory, Fixes, says_there_is_none

VECTOR = re.compile(r"^CVSS:(3\.[01]|4\.0)(/[A-Za-z]+:[A-Za-z]+)+$")
DAY = re.compile(r"^\d{4}-\d\d-\d\d$")
UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff]")
MOST_REFERENCES = 10
MOST_REMARK = 600
WIDTH = 110
MITIGATION = """\
# TODO: write each mitigation like this, or delete these lines where there is none
#  - id: turn-it-off
#    title: What it does, in a few words
#    side_effect: What stops working, and for whom
#    disruption: low            # low | medium | high
#    actions:
#      - service: {name: UNIT, running: false, enabled: false, masked: true}
#    checks:
#      - service: {name: UNIT, running: false, masked: true}
"""


def skeleton(remedy: str, advisory: Advisory | None = None) -> str:
    """Loads once its TODOs are done; until then `stopgap remedy lint` names each of them."""
    return "\n".join(_lines(remedy, advisory or Advisory(id="", names=[]))) + "\n"


def _lines(remedy: str, advisory: Advisory) -> Iterator[str]:
    yield "apiVersion: stopgap/v1"
    yield f"id: {remedy}"
    yield "revision: 1"
    yield f"title: {_quoted(advisory.title)}" if advisory.title else "title:  # TODO: what goes wrong where, in a line"
    if advisory.id not in ("", remedy) and not advisory.doubts:  # one that closes nothing is no name for it
        yield f"aliases: [{_quoted(advisory.id)}]"
    if DAY.match(advisory.published):
        yield f"published: {advisory.published}"
    yield from _references(advisory)
    yield from _risk(advisory)
    yield from _doubts(advisory)
    yield from _affected(advisory)
    yield from _mitigations(advisory)
    yield from _fix(advisory)


def _references(advisory: Advisory) -> Iterator[str]:
    urls = [url for url in dict.fromkeys(advisory.references) if re.fullmatch(r"https://\S+", url)]
    if urls:
        yield "references:"
        yield from (f"  - {_quoted(url)}" for url in urls[:MOST_REFERENCES])


def _risk(advisory: Advisory) -> Iterator[str]:
    vectors = [vector for vector in dict.fromkeys(advisory.cvss) if VECTOR.match(vector)]
    if not vectors:
        yield "risk: {}  # TODO: cvss, automatable, technical_impact, as far as somebody published them"
        return
    yield "risk:"
    yield f"  cvss: {_quoted(vectors[0])}"
    yield from (f"  # another score of the advisory: {_clean(vector)}" for vector in vectors[1:])
    yield "  # TODO: automatable (true, false) and technical_impact (partial, total), as far as somebody published them"


def _doubts(advisory: Advisory) -> Iterator[str]:
    for doubt in advisory.doubts:
        yield from _comment(
            f"TODO: not taken as a fix: {doubt}. Name the version that closes the CVE, if there is one."
        )


def _affected(advisory: Advisory) -> Iterator[str]:
    named = {name: told for name, told in advisory.packages.items() if told.fixed or told.not_affected - told.unfixed}
    yield "affected:"
    if not named:
        yield "  packages: []  # TODO: the binary packages and, for each release, the source version that fixes it"
    else:
        yield "  packages:"
        for name, told in named.items():
            yield from _package(name, told)
    for name, told in advisory.packages.items():
        for said, distros in (("no", told.unfixed - set(told.fixed)), ("in part no", told.unfixed & set(told.fixed))):
            if distros:
                yield from _comment(f"TODO: {name}: {said} fixed version yet in {', '.join(sorted(distros))}", 2)
    yield "  when: []  # TODO: probes, where the package alone does not expose a host"


def _package(name: str, told: Fixes) -> Iterator[str]:
    note = "  # TODO: a source package; write the binary packages built from it" if told.is_source else ""
    yield f"    - name: {_quoted(name)}{note}"
    yield from _introduced(told)
    yield "      fixed_in:"
    for distro in sorted({*told.fixed, *(told.not_affected - told.unfixed)}):
        versions = told.fixed.get(distro)
        value = "not_affected" if not versions else f"[{', '.join(map(_quoted, versions))}]"
        yield f"        {distro}: {value if not versions or len(versions) > 1 else _quoted(versions[0])}"


def _introduced(told: Fixes) -> Iterator[str]:
    """A remedy has one for all releases: what is right in one of them would clear hosts of another."""
    begins = {distro: sorted(told.introduced.get(distro) or {"0"}) for distro in sorted(told.fixed)}
    versions = {version for found in begins.values() for version in found}
    if len(versions) == 1 and versions != {"0"}:
        yield f"      introduced: {_quoted(versions.pop())}"
    elif versions - {"0"}:
        each = "; ".join(f"{distro} {', '.join(found)}" for distro, found in begins.items())
        yield from _comment(f"TODO: introduced: {each}. One counts for all releases: the lowest, or none", 6)


def _mitigations(advisory: Advisory) -> Iterator[str]:
    yield "mitigations: []"
    for kind, text in advisory.remarks:
        if kind in ("mitigation", "workaround"):
            said = "the vendor says there is none" if says_there_is_none(text) else f"the vendor's {kind}"
            yield from _comment(f"{said}: {text}")
    yield MITIGATION.rstrip("\n")


def _fix(advisory: Advisory) -> Iterator[str]:
    names = [name for name, told in advisory.packages.items() if told.fixed]
    yield "fix:"
    yield f"  packages: [{', '.join(map(_quoted, names))}]" if names else "  packages: []  # TODO: what is upgraded"
    for kind, text in advisory.remarks:
        if kind not in ("mitigation", "workaround"):
            yield from _comment(f"{kind}: {text}", 2)
    yield "  then: []  # TODO: what has to be restarted for the fix to be in effect"
    yield "  # TODO: obligations: what patching alone does not do (keys, an edited conffile, open sessions)"
    yield "checks:" if names else "checks: []  # TODO: what proves the fix"
    for name in names:
        yield f"  - package: {{name: {_quoted(name)}, at_least: fixed}}"
        yield f"  - processes: {{not_on_old_code: {_quoted(name)}}}"
    yield "indicators: []  # TODO: signs of compromise, where some are known"


def _comment(text: str, indent: int = 0) -> Iterator[str]:
    margin = " " * indent + "# "
    short = textwrap.shorten(_clean(text), MOST_REMARK, placeholder=" …")
    yield from textwrap.wrap(short, WIDTH, initial_indent=margin, subsequent_indent=margin + "  ")


def _quoted(text: str) -> str:
    """A YAML scalar in double quotes: whatever an advisory says stays text."""
    return json.dumps(_clean(text), ensure_ascii=False)


def _clean(text: str) -> str:
    return " ".join(UNSAFE.sub(" ", text).split())
