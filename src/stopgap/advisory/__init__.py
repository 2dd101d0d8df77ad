"""Vendors' advisories (CSAF 2.0, OSV) read for what a remedy needs, and the skeleton of a remedy made of that."""

from stopgap.advisory.model import Advisory, AdvisoryError
from stopgap.advisory.read import read_advisory
from stopgap.advisory.skeleton import skeleton

__all__ = ["Advisory", "AdvisoryError", "read_advisory", "skeleton"]
