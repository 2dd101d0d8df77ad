"""A CVSS vector's base score and its name, by Red Hat's `cvss` library."""

from functools import lru_cache


@lru_cache(maxsize=4096)
def base_score(vector: str) -> tuple[float, str] | None:
    """`(8.1, "high")`; None for what is no vector. Severities: none, low, medium, high, critical."""
    import cvss

    try:
        if vector.startswith("CVSS:4.0/"):
            four = cvss.CVSS4(vector)
            return float(four.base_score), str(four.severity).lower()
        three = cvss.CVSS3(vector)
        return float(three.base_score), str(three.severities()[0]).lower()
    except cvss.exceptions.CVSSError:
        return None
