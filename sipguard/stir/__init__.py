"""STIR/SHAKEN: telephone numbers, PASSporTs, certificates, signing and verification (RFC 8224-8226, 8588). Pure."""
