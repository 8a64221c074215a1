"""The attestation log: one JSON line per decision, chained by SHA-256, on disk before its call leaves."""
