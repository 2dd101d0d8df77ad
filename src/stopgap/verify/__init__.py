"""Asks hosts whether a remedy is in effect: typed checks and a site's own tests, run by testinfra.

`python -m stopgap.verify` speaks JSON (docs/reference/contracts.md §5); `runner.verify` is the same as a function.
"""
