"""The invariants of the fuzz targets over their seed corpus and over everything a fuzzer ever found, without a fuzzer.

``make fuzz`` looks for new inputs; here what is known must hold.
"""

import importlib

import pytest

from fuzz import corpus
from fuzz.__main__ import targets


@pytest.mark.clause("MSG-29", "MSG-30", "VS-37", "TXN-34")
@pytest.mark.parametrize("name", targets())
def test_the_invariant_holds_over_the_corpus(name: str) -> None:
    """Every seed of a target, and every input that broke it once, keeps its invariant."""
    check = importlib.import_module(f"fuzz.targets.{name}").check
    inputs = corpus.seeds(name)
    assert len(inputs) > 3
    for label, data in inputs.items():
        try:
            check(data)
        except BaseException as error:
            error.add_note(f"input {label}: {data[:200]!r}")
            raise


def test_every_target_has_a_corpus() -> None:
    """A new target needs seeds, and no seeds are left of one that is gone."""
    assert set(targets()) == set(corpus.MAKERS)
