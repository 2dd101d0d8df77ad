"""Real faults, drawn from a seed, while real hosts are worked on: `make faults`. See docs/reference/faults.md."""
