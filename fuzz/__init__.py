"""Coverage-guided fuzzing: one target a file in ``fuzz/targets``, each a function from octets to nothing.

A target's ``check`` raises when its invariant, the first sentence of the file, does not hold. ``python -m fuzz NAME``
drives it with libFuzzer through ``atheris``; ``tests/properties/test_fuzz_targets.py`` runs it over the seed corpus
without, so that what holds today is held by the suite. See docs/fuzzing.md.
"""
