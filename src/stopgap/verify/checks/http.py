"""`http {url, address?, status?, header?, accepts?, refuses?, verify?, timeout?}`: a web server of the host itself.

TLS versions and cipher suites are offered one at a time. What the host's own OpenSSL cannot offer proves nothing.
"""

from collections.abc import Iterator
from typing import Any

from stopgap.verify import on_host
from stopgap.verify.backend import AgentHost
from stopgap.verify.conditions import broken
from stopgap.verify.context import Context
from stopgap.verify.errors import Surprise
from stopgap.verify.row import Row
from stopgap.verify.verdict import Verdict, expect, failed, passed, together, unknown

ROWS = (
    Row(
        "http: {url, address?, status?, header?, accepts?, refuses?, verify?, timeout?}",
        "the server on this host answers as asked for, takes all of `accepts` and refuses all of `refuses`",
        "one does not hold; with `verify: true` the certificate is not trusted",
        "nothing answers; it is no server of this host; the host's own OpenSSL cannot offer the version or the cipher",
    ),
)
ASKED = ("status", "header", "accepts", "refuses")
WORDS = {"accepts": ("accepted", "refused"), "refuses": ("refused", "accepted")}


def name(params: dict[str, Any]) -> str:
    return str(params["url"])


def check(host: AgentHost, params: dict[str, Any], context: Context) -> Verdict:
    if not params.get("verify") and all(params.get(key) is None for key in ASKED):
        raise Surprise(f"give one of {', '.join(ASKED)}, or verify: true")
    question = {
        "url": params["url"],
        "address": params.get("address"),
        "timeout": params.get("timeout") or 10,
        "response": params.get("status") is not None or params.get("header") is not None,
        "verify": bool(params.get("verify")),
        "offers": [one for key in WORDS for one in params.get(key) or []],
    }
    answers = on_host.ask_own(host, "web", question)
    if "error" in answers:
        return unknown(answers["error"])
    return together([*_response(params, answers["response"]), *_certificate(answers), *_offers(params, answers)])


def _response(params: dict[str, Any], told: dict[str, Any] | None) -> Iterator[Verdict]:
    if told is None:
        return
    if "error" in told:
        yield unknown(told["error"])
        return
    wanted = params.get("status")
    if wanted is not None:
        listed = wanted if isinstance(wanted, list) else [wanted]
        right = told["status"] in listed
        yield expect(right, f"status {told['status']}" + ("" if right else f", not {', '.join(map(str, listed))}"))
    for header, conditions in (params.get("header") or {}).items():
        yield _header(header, conditions, [v for name, v in told["headers"] if name.casefold() == header.casefold()])


def _header(header: str, conditions: dict[str, Any], values: list[str]) -> Verdict:
    """One that is not sent lacks everything."""
    exists = conditions.get("exists")
    said = f"{header}: {', '.join(values)}" if values else f"no header {header}"
    if exists is not None and exists != bool(values):
        return failed(said)
    problem = broken(conditions, "\n".join(values))
    return failed(f"{said}: {problem}") if problem else passed(said)


def _certificate(answers: dict[str, Any]) -> Iterator[Verdict]:
    if answers["certificate"]:
        word, why = answers["certificate"]
        yield {"trusted": passed(why), "untrusted": failed(f"the certificate is not trusted: {why}")}.get(
            word, unknown(f"the certificate: {why}")
        )


def _offers(params: dict[str, Any], answers: dict[str, Any]) -> Iterator[Verdict]:
    for key, (right, wrong) in WORDS.items():
        for offer in params.get(key) or []:
            word, why = answers["offers"][offer]
            if word == right:
                yield passed(f"{offer} {word}")
            elif word == wrong:
                yield failed(f"{offer} is {word} ({why})")
            else:
                yield unknown(f"{offer}: {why}")
