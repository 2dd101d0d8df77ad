"""`file {path, exists?, mode?, matches?, lacks_match?}`: unless `exists` is false, the file has to be there."""

from typing import Any

from stopgap.verify import patterns
from stopgap.verify.backend import AgentHost
from stopgap.verify.context import Context
from stopgap.verify.errors import Surprise
from stopgap.verify.row import Row
from stopgap.verify.verdict import Verdict, expect, failed, passed, unknown

ROWS = (
    Row(
        "file: {path, exists?, mode?, matches?, lacks_match?}",
        "all that is asked for holds",
        "one does not",
        "the path may not be looked at",
    ),
)


def name(params: dict[str, Any]) -> str:
    return str(params["path"])


def check(host: AgentHost, params: dict[str, Any], context: Context) -> Verdict:
    path = params["path"]
    mode = _mode(host, path)
    if params.get("exists") is False:
        return expect(mode is None, f"{path} is {'not there' if mode is None else 'there'}")
    if mode is None:
        return _absent(params)
    if params.get("mode") is not None and int(params["mode"], 8) != mode:
        return failed(f"{path} has mode {mode:04o}, not {params['mode']}")
    return _content(host, params)


def _mode(host: AgentHost, path: str) -> int | None:
    """testinfra's `exists` is also false where a folder on the way may not be read; that is no answer."""
    out = host.run_expect([0, 1], "stat -Lc %%a -- %s", path)
    if out.rc == 0:
        return int(out.stdout, 8)
    if "No such file or directory" in out.stderr or "Not a directory" in out.stderr:
        return None
    raise Surprise(out.stderr.strip())


def _absent(params: dict[str, Any]) -> Verdict:
    """What a missing file lacks proves nothing: the program falls back to what is built in."""
    if params.get("exists") is None and params.get("mode") is None and params.get("matches") is None:
        return unknown(f"{params['path']} is not there, so nothing can be said of its content")
    return failed(f"{params['path']} is not there")


def _content(host: AgentHost, params: dict[str, Any]) -> Verdict:
    path, wanted, unwanted = params["path"], params.get("matches"), params.get("lacks_match")
    if wanted is None and unwanted is None:
        return passed(f"{path} is as expected")
    text = host.run_expect([0], "cat -- %s", path).stdout
    if wanted is not None and patterns.search(wanted, [text]) == [None]:
        return failed(f"{path} has no match for {wanted!r}")
    match = None if unwanted is None else patterns.search(unwanted, [text])[0]
    if match is not None:
        return failed(f"{path} still says: {match.strip()[:100]}")
    return passed(f"{path} is as expected")
