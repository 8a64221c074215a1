"""The diversion stage: the number a call says it was diverted from."""

from dataclasses import replace

import pytest

from sipguard.policy.finding import Emergency
from sipguard.policy.stages.diversion import examine
from tests.policy.kit import (
    CUSTOMER,
    DELEGATED,
    EXPIRED,
    FOREIGN,
    OWNED,
    PARENTS,
    VERIFIED,
    call_of,
    invite,
    view_of,
)


def examined(row, trunk=CUSTOMER, emergency=None):
    """What the stage says of a call with this row."""
    call = call_of(invite("sip:+14155550150@p", f"<sip:+{OWNED}@x>", None, row), trunk=trunk)
    call.emergency = emergency
    return examine(call, view_of())


@pytest.mark.clause("policy")
@pytest.mark.parametrize("number", [OWNED, VERIFIED, DELEGATED, PARENTS])
def test_a_number_of_the_account(number):
    """Whatever the right to it is."""
    assert examined(f"Diversion: <sip:+{number}@x>") is None


@pytest.mark.clause("policy")
@pytest.mark.parametrize("number", [FOREIGN, EXPIRED])
@pytest.mark.parametrize(
    "row", ["Diversion: <sip:+{}@x>", "History-Info: <sip:+{}@x>;index=1, <sip:+14155550150@x>;index=1.1;mp=1"]
)
def test_a_number_of_somebody_else(number, row):
    """In Diversion, or where History-Info leads back to, it is refused, by name."""
    finding = examined(row.format(number))
    assert finding.rule == "caller-id.diversion-not-owned"
    assert f"+{number} is not assigned to account acme" in finding.detail


@pytest.mark.clause("policy")
@pytest.mark.parametrize(
    "row",
    [
        f"Diversion: <sip:+{OWNED}@x>, <sip:+{FOREIGN}@x>",
        "Diversion: <sip:1001@pbx>",
        "Diversion: <sip:sales@pbx>",
        f"Diversion: <sip:+{FOREIGN}@x",
        f"History-Info: <sip:+{FOREIGN}@x>;index=1, <sip:+14155550150@x>;index=1.1;rc=1",
    ],
)
def test_what_claims_no_number(row):
    """What was said before, an extension, a name, and what nobody can read (which does not leave)."""
    assert examined(row) is None


@pytest.mark.clause("EMG-04")
def test_who_is_not_asked():
    """Emergency calls, and gateways, which bring calls of others."""
    row = f"Diversion: <sip:+{FOREIGN}@x>"
    assert examined(row, emergency=Emergency("911", None)) is None
    assert examined(row, trunk=replace(CUSTOMER, gateway=True)) is None
