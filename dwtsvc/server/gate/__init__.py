"""Behind the guard: who may call what, consent, tokens, signatures, peers, quotas and the headers of security."""
