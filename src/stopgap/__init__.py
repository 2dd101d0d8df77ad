"""Stopgap closes a vulnerability on a fleet and keeps the books honest while it does."""

__version__ = "0.1.0"
