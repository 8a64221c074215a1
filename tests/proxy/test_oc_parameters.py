"""Overload control parameters of Via: offered, answered, read, and taken out (RFC 7339 §4)."""

import pytest

from sipguard.proxy.oc_parameters import Demand, answer, demand, offers_loss, rewrite
from sipguard.sip.header import parse_parameters
from sipguard.testing.sample import invite


@pytest.mark.clause("PRX-36", "RFC 7339 4.2")
@pytest.mark.parametrize(
    ("parameters", "offered"),
    [
        (';branch=z9hG4bKx;oc;oc-algo="loss"', True),
        (';oc;oc-algo="rate,loss"', True),
        (';oc;oc-algo="A, loss"', True),
        (";oc;oc-algo=loss", True),
        (';oc;oc-algo="rate"', False),
        (";oc", False),
        (';oc-algo="loss"', False),
        (";branch=z9hG4bKx", False),
    ],
)
def test_an_offer(parameters: str, offered: bool) -> None:
    """``oc`` with an algorithm list that holds ``loss`` is an offer we take."""
    assert offers_loss(parse_parameters(parameters)) is offered


@pytest.mark.clause("PRX-36", "RFC 7339 4", "RFC 7339 9")
def test_an_answer_reads_as_the_standard_writes_it() -> None:
    """Percent, one quoted algorithm, milliseconds, and a sequence number with digits behind the point."""
    text = answer(0.2, 0.5, 1282321615.782)
    assert text == ';oc=20;oc-algo="loss";oc-validity=500;oc-seq=1282321615.782'
    assert demand(parse_parameters(text)) == Demand(0.2, 0.5, 1282321615.782)


@pytest.mark.clause("PRX-36", "RFC 7339 4.3", "RFC 7339 7.1")
@pytest.mark.parametrize(
    ("parameters", "asked"),
    [
        (";oc=20", Demand(0.2, 0.5, None)),
        (";oc=100;oc-algo=loss;oc-validity=2000;oc-seq=7.5", Demand(1.0, 2.0, 7.5)),
        (";oc=150", Demand(1.0, 0.5, None)),
        (';oc=0;oc-algo="loss";oc-validity=0', Demand(0.0, 0.0, None)),
        (";oc=20;oc-validity=soon;oc-seq=x", Demand(0.2, 0.5, None)),
        (';oc=20;oc-algo="rate"', None),
        (';oc;oc-algo="loss"', None),
        (";oc=-1", None),
        (";oc=9999999999999", None),
        (";oc-validity=500", None),
        ("", None),
    ],
)
def test_a_demand(parameters: str, asked: Demand | None) -> None:
    """What is missing has its default; what is not understood asks for nothing."""
    assert demand(parse_parameters(parameters)) == asked


@pytest.mark.clause("RFC 7339 5.4", "RFC 7339 5.6")
def test_parameters_are_exchanged_in_the_topmost_via_only() -> None:
    """Old ones go, new ones come, everything else and every other Via stays."""
    request = invite().fork()
    request.set("via", 'SIP/2.0/UDP a.example;oc;branch=z9hG4bK1;oc-algo="loss,A", SIP/2.0/UDP b.example;oc=3')
    rewrite(request, ";oc=1")
    assert request.rows[0] == "Via: SIP/2.0/UDP a.example;branch=z9hG4bK1;oc=1, SIP/2.0/UDP b.example;oc=3"
    assert request.via.branch == "z9hG4bK1"
    rewrite(request)
    assert request.rows[0] == "Via: SIP/2.0/UDP a.example;branch=z9hG4bK1, SIP/2.0/UDP b.example;oc=3"
