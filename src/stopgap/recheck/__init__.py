"""Verdicts age: which proofs are too old, by how urgent their cases are."""
