"""`case.as_of` for the database, in SQL: what kept cases mean at the moment `:now`, to count and to filter by."""

# Mitigated, and the last protection has run out.
EXPIRED = "(state = 'mitigated' AND protected_until <= :now)"
STATE = f"(CASE WHEN {EXPIRED} THEN 'exposed' ELSE state END)"
ACCEPTED = "(accepted_until > :now AND state NOT IN ('fixed', 'not_affected'))"
