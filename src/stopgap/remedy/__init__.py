"""Remedies: YAML files that say how one vulnerability is mitigated, fixed and checked. Format: DESIGN §5."""

from stopgap.remedy.catalogue import catalogue, find, resolve, search_path
from stopgap.remedy.errors import InvalidRemedy, Problem, RemedyError, UnknownRemedy, UnreadableRemedy
from stopgap.remedy.load import load
from stopgap.remedy.models import Remedy

__all__ = [
    "InvalidRemedy",
    "Problem",
    "Remedy",
    "RemedyError",
    "UnknownRemedy",
    "UnreadableRemedy",
    "catalogue",
    "find",
    "load",
    "resolve",
    "search_path",
]
