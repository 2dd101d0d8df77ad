"""One check of one host, as the runner asks it."""

from stopgap.verify.context import Context
from stopgap.verify.runner import run_check


def ask(host, kind, params, remedy=None):
    result = run_check(host, {"type": kind, "params": params}, Context(remedy or {"affected": {"packages": []}}, "fix"))
    return result["verdict"], result["reason"]


def word(host, kind, params, remedy=None):
    return ask(host, kind, params, remedy)[0]
