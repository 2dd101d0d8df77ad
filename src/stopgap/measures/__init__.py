"""How long it takes to close a vulnerability: survival curves and exposure over time, from the cases of the ledger."""
