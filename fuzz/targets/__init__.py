"""The targets. A file here is one: ``check(data)`` and its invariant."""
