"""The fleet's books: an append-only table of events, and cases projected from it.

Import from the files, not from here: `python -m stopgap.ledger ingest` runs at the end of every play and pays for
each import.
"""
