"""The story of `stopgap demo`: a small real fleet goes from exposed, to mitigated, to fixed and proven."""
