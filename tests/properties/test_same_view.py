"""However an INVITE's identity is mutated, no reader finds a number that is not on record."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sipguard.policy.trunk import OnMismatch
from sipguard.testing.sample import ACME_PBX, CARRIER_A, OWNED, changed
from tests.flows.same_view import hostile
from tests.flows.same_view.test_same_view import message, outcome
from tests.flows.stage import Stage

ROWS = [row for row, _ in (*hostile.FROM.values(), *hostile.IDENTITY.values())]
PIECES = st.sampled_from([
    "<", ">", '"', "\\", ";", ",", "@", ":", "?", "%2B", "%40", "%3b", "%00", "%0d%0a", "\r\n ", "\r\n\t", "\r\n", "\t",
    " ", "sip:", "tel:", "sips:", "From: ", "P-Asserted-Identity: ", "Remote-Party-ID: ", hostile.EVIL, hostile.GOOD,
    hostile.EVIL[1:], hostile.GOOD[1:], hostile.EVIL_ADDRESS, hostile.OWN, ";phone-context=+1", ";verstat=a",
    "anonymous", "@anonymous.invalid", ";user=phone", "(", ")", "-", ".", "=", "+", "00", hostile.FULL_WIDTH,
])  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn, rows: list[str] = ROWS) -> str:
    """A hostile row with pieces put in, cut out, or doubled at random places."""
    row = draw(st.sampled_from(rows))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(row)))
        end = draw(st.integers(start, min(len(row), start + 12)))
        row = row[:start] + draw(PIECES | st.just(row[start:end] * 2)) + row[end:]
    return row


@pytest.mark.clause("PRV-01", "PRV-13", "MSG-15", "MSG-16")
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(mutated(), mutated(), st.sampled_from(["reject", "replace", "downgrade"]), st.booleans())
def test_no_number_leaves_that_is_not_on_record(first: str, second: str, choice: str, trusted: bool) -> None:
    """From a customer, on a trunk that rejects, replaces or downgrades, to a carrier inside or outside the domain."""
    trunks = changed("acme-pbx", on_mismatch=OnMismatch(choice), default_number=OWNED)
    trunks = tuple(trunk for trunk in trunks if trunk.name != "carrier-a") + tuple(
        trunk for trunk in changed("carrier-a", trusted=trusted) if trunk.name == "carrier-a"
    )
    stage = Stage(trunks=trunks)
    data = message(from_=first if "rom" in first else f"From: {hostile.OWN}{hostile.TAG}", more=second)
    _send(stage, data, ACME_PBX, CARRIER_A)


@pytest.mark.clause("PRV-01", "MSG-15", "MSG-16")
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(mutated(), mutated(), st.booleans())
def test_no_number_arrives_that_is_not_on_record(first: str, second: str, trusted: bool) -> None:
    """From the network to a customer."""
    stage = Stage(trunks=changed("carrier-a", trusted=trusted))
    from_ = first if "rom" in first else f"From: {hostile.OWN}{hostile.TAG}"
    data = message(uri=f"sip:+{OWNED}@192.0.2.1", from_=from_, more=second, source=CARRIER_A)
    _send(stage, data, CARRIER_A, ACME_PBX)


@pytest.mark.clause("MSG-15", "PRV-17")
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(mutated([row for row, _ in hostile.TO.values()]), mutated([uri for uri, _ in hostile.REQUEST_URI.values()]))
def test_no_called_number_leaves_that_is_not_on_record(to: str, uri: str) -> None:
    """To and Request-URI."""
    _send(Stage(), message(uri=uri, to=to), ACME_PBX, CARRIER_A)


def _send(stage: Stage, data: bytes, source: tuple[str, int], target: tuple[str, int]) -> None:
    """Send it in; silence is an answer here to what is no request at all."""
    try:
        outcome(stage, data, source, target)
    except IndexError:
        assert stage.octets_to(target) == []
    assert stage.errors == []
