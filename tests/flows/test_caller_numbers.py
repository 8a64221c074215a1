"""Caller numbers that no right makes good, from customers and from the network."""

from dataclasses import replace
from typing import Any

import pytest

from sipguard.config.callers import CallersSection
from sipguard.policy.account import Account
from sipguard.policy.directory import Directory
from sipguard.policy.number_book import NumberBook
from sipguard.policy.premium_numbers import PremiumNumbers
from sipguard.policy.right import ListEntry, NumberRight, RightKind
from sipguard.policy.rules import Mode
from sipguard.policy.settings import PolicySettings
from sipguard.testing.sample import ACME_PBX, CARRIER_A, OWNED, TRUNKS, changed
from tests.flows.stage import Stage

PREMIUM, UNALLOCATED, LISTED = "19005550100", "13335550100", "14155550199"
CALLERS = CallersSection().numbers(PremiumNumbers(), {})


def stage(trunks: tuple[Any, ...] = TRUNKS, **modes: Mode) -> Stage:
    """The sample, whose registry gives acme numbers it should not have."""
    given = ("911", "1911", PREMIUM, UNALLOCATED, OWNED)
    rights = [(number, NumberRight("acme", RightKind.OWNED)) for number in given]
    book = NumberBook.of(rights=rights, listed=[ListEntry(LISTED, "sample")])
    named = {name.replace("_", "-").replace("--", "."): mode for name, mode in modes.items()}
    return Stage(
        directory=Directory(accounts=[Account("acme", path=("acme",))], trunks=trunks, numbers=book),
        policy=PolicySettings(caller_numbers=CALLERS, modes=named),
    )


@pytest.mark.clause("policy: caller identity")
@pytest.mark.parametrize(
    ("from_value", "rule"),
    [
        ("<sip:911@192.0.2.11>", "caller-id.emergency"),
        ("<sip:+1911@192.0.2.11>", "caller-id.emergency"),
        (f"<sip:+{PREMIUM}@192.0.2.11>", "caller-id.premium"),
        (f"<sip:+{UNALLOCATED}@192.0.2.11>", "caller-id.unallocated"),
    ],
)
def test_a_bad_import_lets_nobody_show_such_a_number(from_value: str, rule: str) -> None:
    """The registry gives the account the number; the call is refused by name and does not leave."""
    scene = stage()
    scene.call(from_value=from_value)
    refused = scene.pbx.responses[-1]
    assert (refused.code, refused.reason) == (403, "Caller Identity Not Valid")
    assert refused.value("reason") == f'SIP;cause=403;text="{rule}"'
    assert scene.record("decision")["rule"] == rule
    assert scene.octets_to(CARRIER_A) == []
    scene.settle()


@pytest.mark.clause("policy: caller identity")
@pytest.mark.parametrize("field", ["P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID"])
def test_every_field_is_judged(field: str) -> None:
    """A good From does not hide a premium number in another field."""
    scene = stage()
    scene.call(headers=(f"{field}: <sip:+{PREMIUM}@192.0.2.11>",))
    assert scene.record("decision")["rule"] == "caller-id.premium"


def test_in_report_the_call_goes_on_and_is_on_record() -> None:
    """What would have happened stands in the record, where ``policy report`` counts it."""
    scene = stage(caller_id__premium=Mode.REPORT)
    scene.call(calling=PREMIUM)
    record = scene.record("decision")
    assert (record["decision"], record["reported"]) == ("forward", ["caller-id.premium"])
    assert scene.pbx.codes == [100, 180, 200]


@pytest.mark.clause("policy: caller identity", "BLK-07")
@pytest.mark.parametrize("trusted", [False, True])
def test_a_listed_number_from_the_network_is_refused(trusted: bool) -> None:
    """The classical case of a do-not-originate list: the number of a tax office as caller, from abroad."""
    scene = stage(changed("carrier-a", trusted=trusted))
    scene.arrives(calling=LISTED)
    assert scene.carrier.codes == [100, 403]
    assert scene.carrier.responses[-1].value("reason") == 'SIP;cause=403;text="network-caller.do-not-originate"'
    assert scene.octets_to(ACME_PBX) == []
    scene.settle()


@pytest.mark.clause("policy: caller identity")
def test_a_listed_number_that_is_asserted_is_refused_where_it_would_be_shown() -> None:
    """A trusted carrier's P-Asserted-Identity is what the customer reads; a stranger's is taken off."""
    row = f"P-Asserted-Identity: <sip:+{LISTED}@192.0.2.21>"
    believed, stranger = stage(changed("carrier-a", trusted=True)), stage()
    for scene in (believed, stranger):
        scene.arrives(headers=(row,))
    assert believed.carrier.codes == [100, 403]
    assert stranger.carrier.codes == [100, 180, 200]


@pytest.mark.clause("policy: caller identity")
@pytest.mark.parametrize(
    ("from_value", "fault"),
    [
        ("<sip:911@192.0.2.21>", "emergency"),
        (f"<sip:+{PREMIUM}@192.0.2.21>", "premium"),
        (f"<sip:+{UNALLOCATED}@192.0.2.21>", "unallocated"),
        ("<sip:72345@192.0.2.21>", "invalid"),
    ],
)
def test_what_the_plans_say_of_the_networks_callers_is_reported_first(from_value: str, fault: str) -> None:
    """The call arrives and the record says which rule would have refused it; switched on, it does."""
    rule = f"network-caller.{fault}"
    scene = stage()
    scene.arrives(from_value=from_value)
    assert (scene.carrier.codes, scene.record("decision")["reported"]) == ([100, 180, 200], [rule])
    strict = stage(**{f"network_caller__{fault}": Mode.BLOCK})
    strict.arrives(from_value=from_value)
    assert strict.carrier.codes == [100, 403]


@pytest.mark.clause("EMG-10", "policy: caller identity")
def test_an_emergency_centre_may_show_its_number() -> None:
    """A call back that a trusted carrier marks is not asked who calls."""
    scene = stage(changed("carrier-a", trusted=True), network_caller__emergency=Mode.BLOCK)
    scene.arrives(from_value="<sip:911@192.0.2.21>", headers=("Priority: psap-callback",))
    assert scene.carrier.codes == [100, 180, 200]


SHOWN = f'"+1 202 555 0100" <sip:+{OWNED}@192.0.2.11>'


@pytest.mark.clause("policy: caller identity")
def test_a_name_that_shows_another_number_is_reported_and_taken_off() -> None:
    """The carrier reads the number that was checked and nothing else; the record says what was tried."""
    scene = stage()
    scene.call(from_value=SHOWN)
    assert "202" not in scene.carrier.requests[0].required("from")
    assert scene.record("decision")["reported"] == ["caller-id.display-number"]
    assert "202 555 0100" in scene.record("decision")["calling"]["raw_from"]


def test_a_name_that_shows_another_number_is_refused_where_that_is_wanted() -> None:
    """In mode block the call does not leave."""
    scene = stage(caller_id__display_number=Mode.BLOCK)
    scene.call(from_value=SHOWN)
    assert scene.pbx.codes == [100, 403]
    assert scene.record("decision")["rule"] == "caller-id.display-number"


CHARGE = "P-Charge-Info: <sip:+12025550100@192.0.2.11>;noa=3;npi=1"


@pytest.mark.clause("policy: caller identity", "RFC 8496 7")
@pytest.mark.parametrize("customer_trusted", [False, True])
@pytest.mark.parametrize("carrier_trusted", [False, True])
def test_nobody_is_charged_by_a_customers_word(customer_trusted: bool, carrier_trusted: bool) -> None:
    """P-Charge-Info from a customer never leaves, however it is written and whoever is trusted."""
    trunks = tuple(
        replace(trunk, trusted={"acme-pbx": customer_trusted, "carrier-a": carrier_trusted}.get(trunk.name, False))
        for trunk in TRUNKS
    )
    scene = stage(trunks)
    scene.call(headers=(CHARGE, "p-CHARGE-info : <tel:+12025550100>"))
    assert not scene.carrier.requests[0].has("p-charge-info")
    assert b"2025550100" not in scene.octets_to(CARRIER_A)[0]


@pytest.mark.clause("policy: caller identity", "RFC 8496 7")
@pytest.mark.parametrize(
    ("carrier", "customer", "kept"), [(True, True, True), (True, False, False), (False, True, False)]
)
def test_a_charge_number_from_the_network_stays_in_the_trust_domain(carrier: bool, customer: bool, kept: bool) -> None:
    """Only between two trusted neighbours."""
    trusted = {"acme-pbx": customer, "carrier-a": carrier}
    scene = stage(tuple(replace(trunk, trusted=trusted.get(trunk.name, False)) for trunk in TRUNKS))
    scene.arrives(headers=(CHARGE,))
    assert scene.pbx.requests[0].has("p-charge-info") is kept
