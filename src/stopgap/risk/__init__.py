"""How urgent a case is: public knowledge of what is exploited, due dates with their reasons, and the order of work."""
