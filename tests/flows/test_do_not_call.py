"""Do-not-call through the whole proxy: who is refused, who is not, and what stands on record."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipguard.policy.account import Account
from sipguard.policy.call_lists import EVERYBODY, DoNotCall, listings_of
from sipguard.policy.directory import Directory
from sipguard.policy.number_book import NumberBook
from sipguard.policy.right import EmergencyRegistration, NumberRight, RightKind
from sipguard.policy.rules import Mode
from sipguard.policy.settings import PolicySettings
from sipguard.policy.trunk import Trunk
from sipguard.testing.sample import CALLED, CARRIER_A, OWNED, PROXY, RESCUE, TRUNKS, changed
from tests.flows.stage import Stage

RULE = "destination.do-not-call"


def directory(on: str = "opt-out", number: str = CALLED, trunks: tuple[Trunk, ...] = TRUNKS) -> Directory:
    """The sample operator; one number is on a list, and acme sells by telephone."""
    account = "acme" if on == "opt-out" else EVERYBODY
    return Directory(
        accounts=[Account("acme", path=("acme",), do_not_call=DoNotCall.NATIONAL)],
        trunks=trunks,
        numbers=NumberBook.of(
            rights=[(OWNED, NumberRight("acme", RightKind.OWNED))],
            emergency=[EmergencyRegistration(OWNED, "acme", "US", "registered", paid=True)],
            called={number: listings_of([(account, on, "letter", None)])},
        ),
    )


@pytest.mark.clause("policy: destinations")
@pytest.mark.parametrize("on", ["opt-out", "national"])
def test_a_listed_number_is_not_called(on: str) -> None:
    """403 Do Not Call with the rule in its Reason; the carrier hears nothing; the refusal is on record."""
    stage = Stage(directory=directory(on))
    stage.call()
    response = stage.pbx.responses[-1]
    assert response.start_line == "SIP/2.0 403 Do Not Call"
    assert f'text="{RULE}"' in response.required("reason")
    assert stage.octets_to(CARRIER_A) == []
    assert stage.record("decision")["rule"] == RULE
    stage.settle()


_SEPARATOR = st.sampled_from(["", "", "-", ".", "%2D"])


@st.composite
def spellings(draw: st.DrawFn) -> str:
    """The listed number as somebody may dial it who knows that it is listed."""
    digits = CALLED if draw(st.booleans()) else "+" + CALLED
    digits = draw(st.sampled_from([digits, CALLED[1:], "011" + CALLED]))
    written = "".join(
        (f"%3{digit}" if digit.isdigit() and draw(st.booleans()) else digit) + draw(_SEPARATOR) for digit in digits
    )
    if "+" not in digits and draw(st.booleans()):
        written = draw(st.sampled_from(["*67", "%2A82", "*31%23", "%2331%23", ""])) + written
        written += draw(st.sampled_from(["", "%23", "%23*67"]))
    elif digits[-len(CALLED) :] == CALLED:
        written += draw(st.sampled_from(["", "0", "77"]))
    if draw(st.booleans()):
        return f"sip:{written}@{PROXY[0]}{draw(st.sampled_from(['', ';user=phone']))}"
    return f"sip:{written};{draw(st.sampled_from(['npdi', 'rn=+14155550000', 'isub=1']))}@{PROXY[0]};user=phone"


@pytest.mark.clause("policy: destinations")
@settings(max_examples=60, deadline=None)
@given(spellings())
def test_no_spelling_of_a_listed_number_gets_through(uri: str) -> None:
    """With prefixes, service codes, separators, escapes, digits too many and parameters: refused, and never sent."""
    stage = Stage(directory=directory())
    stage.call(uri=uri)
    assert stage.pbx.codes[-1] in (403, 484)  # 484: more than fifteen characters
    assert stage.octets_to(CARRIER_A) == []


@pytest.mark.clause("policy: destinations")
def test_in_report_mode_the_call_goes_and_the_record_says_what_would_have_been() -> None:
    """The call is answered, and ``reported`` names the rule."""
    stage = Stage(directory=directory(), policy=PolicySettings(modes={RULE: Mode.REPORT}))
    stage.call()
    assert stage.pbx.codes[-1] == 200
    assert stage.record("decision")["reported"] == [RULE]


@pytest.mark.clause("policy: destinations", "EMG-04")
def test_help_is_called_whatever_a_list_says() -> None:
    """An emergency call is exempt, even when somebody lists the number it is dialled by."""
    stage = Stage(directory=directory("national", "1911"))
    stage.call(uri=f"sip:911@{PROXY[0]};user=phone", called="911")
    assert stage.pbx.codes[-1] == 200
    assert stage.requests_to(RESCUE, "INVITE")
    assert stage.record("decision").get("reported", []) == []


@pytest.mark.clause("policy: destinations", "EMG-10")
def test_calls_to_customers_are_not_asked() -> None:
    """A customer who is on the national list is called by the network as before, by a centre that calls back too."""
    trunks = changed("carrier-a", trusted=True)
    stage = Stage(directory=directory("national", OWNED, tuple(replace(trunk) for trunk in trunks)))
    stage.arrives(headers=("Priority: psap-callback",))
    assert stage.carrier.codes[-1] == 200
