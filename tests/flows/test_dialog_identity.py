"""Who speaks inside a dialog: the number that was screened, or another of the speaker's own (RFC 4916)."""

from typing import Any

import pytest

from sipguard.policy.account import Account
from sipguard.policy.directory import Directory
from sipguard.policy.number_book import NumberBook
from sipguard.policy.right import NumberRight, RightKind
from sipguard.policy.rules import Mode
from sipguard.policy.settings import PolicySettings
from sipguard.policy.trunk import OnMismatch
from sipguard.sip.message import Request
from sipguard.testing.sample import (
    ACME_PBX,
    CARRIER_A,
    FORGED,
    OWNED,
    PROXY,
    RESCUE,
    TRUNKS,
    VERIFIED,
    changed,
    flow_from,
    invite,
)
from sipguard.testing.user_agent import UserAgent
from tests.flows.same_view import readers
from tests.flows.stage import Stage

RULE = "caller-id.changed"
EVIL = f"<sip:+{FORGED}@192.0.2.11>"


def says(stage: Stage, agent: UserAgent, method: str, from_: str | None = None, *rows: tuple[str, str]) -> Request:
    """A request inside the dialog, with another From (under the tag that belongs there) and more rows."""
    request = agent.in_dialog(method)
    if from_ is not None:
        request.set("from", f"{from_};tag={request.from_.tag}")
    for name, value in rows:
        request.append(name, value)
    agent.start(request)
    stage.network.run(1)
    return request


def heard(stage: Stage, endpoint: tuple[str, int], method: str) -> Request:
    """The last request of a method that reached somebody."""
    return stage.requests_to(endpoint, method)[-1]


@pytest.mark.clause("RFC 4916 4.2", "PRX-02")
@pytest.mark.parametrize("method", ["INVITE", "UPDATE", "INFO", "BYE"])
def test_the_dialogs_own_from_passes_as_it_was_written(method: str) -> None:
    """Who speaks as before is not asked again, and From and To arrive to the octet."""
    stage = Stage()
    stage.call(from_value=f'"Alice" <sip:+{OWNED}@192.0.2.11;user=phone>')
    request = says(stage, stage.pbx, method)
    there = heard(stage, CARRIER_A, method)
    assert [there.required(name) for name in ("from", "to")] == [request.required(name) for name in ("from", "to")]
    assert RULE not in str(stage.network.records)


@pytest.mark.clause("RFC 4916 4.2", "PRV-01")
@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_a_from_of_somebody_else_is_403(method: str) -> None:
    """A re-INVITE or UPDATE under a number without a right is refused by name, once on record, and does not leave."""
    stage = Stage()
    stage.call()
    before = len(stage.requests_to(CARRIER_A, method))
    says(stage, stage.pbx, method, EVIL)
    refused = stage.pbx.responses[-1]
    assert (refused.code, refused.value("reason")) == (403, f'SIP;cause=403;text="{RULE}"')
    assert len(stage.requests_to(CARRIER_A, method)) == before
    record, decision = stage.record("refused"), stage.record("decision")
    assert (record["id"], record["rule"], record["code"], record["method"]) == (decision["id"], RULE, 403, method)
    assert FORGED in record["raw_from"]
    assert FORGED not in refused.required("warning")
    assert stage.engine.active_calls == 1
    stage.hang_up()
    stage.settle()


@pytest.mark.clause("RFC 4916 4.2", "policy: caller identity")
@pytest.mark.parametrize(("mode", "code"), [(Mode.BLOCK, 403), (Mode.REPORT, 200)])
def test_a_number_of_its_own_that_never_calls_is_not_spoken_under_either(mode: Mode, code: int) -> None:
    """A do-not-originate number, though it is the account's, is refused inside a dialog where it is at the start."""
    stage = Stage(policy=PolicySettings(modes={"caller-id.do-not-originate": mode}))
    stage.call()
    says(stage, stage.pbx, "UPDATE", "<sip:+14155550199@192.0.2.11>")
    assert stage.pbx.responses[-1].code == code


@pytest.mark.parametrize(("number", "code"), [("19005550100", 403), (VERIFIED, 200)])
def test_a_premium_number_is_not_spoken_under(number: str, code: int) -> None:
    """Nor is one that a bad import gave the account."""
    rights = [(tn, NumberRight("acme", RightKind.OWNED)) for tn in (OWNED, VERIFIED, "19005550100")]
    book = NumberBook.of(rights=rights)
    stage = Stage(directory=Directory(accounts=[Account("acme", path=("acme",))], trunks=TRUNKS, numbers=book))
    stage.call()
    says(stage, stage.pbx, "UPDATE", f"<sip:+{number}@192.0.2.11>")
    assert stage.pbx.responses[-1].code == code


@pytest.mark.clause("RFC 4916 4.2")
@pytest.mark.parametrize(
    ("from_", "arrives"),
    [
        (f"<sip:+{VERIFIED}@192.0.2.11>", f"<sip:+{VERIFIED}@192.0.2.11>"),
        (f"<sip:%2B{VERIFIED}@192.0.2.11>", f"<sip:+{VERIFIED}@{PROXY[0]};user=phone>"),
        ("<sip:4155550111@192.0.2.11>", f"<sip:+{VERIFIED}@{PROXY[0]};user=phone>"),
        (f'"+{FORGED}" <sip:+{VERIFIED}@192.0.2.11>', f"<sip:+{VERIFIED}@192.0.2.11>"),
        (f'"Your Bank" <sip:+{OWNED}@192.0.2.11;user=phone>', f'"Your Bank" <sip:+{OWNED}@192.0.2.11;user=phone>'),
        ('"Anonymous" <sip:anonymous@anonymous.invalid>', '"Anonymous" <sip:anonymous@anonymous.invalid>'),
        (f"<sip:+{FORGED}@anonymous.invalid>", "<sip:anonymous@anonymous.invalid>"),
        ("<sip:alice@192.0.2.11>", "<sip:alice@192.0.2.11>"),
        (f"<sip:a%40+{FORGED}@192.0.2.11>", "<sip:unavailable@unknown.invalid>"),
        (f"<sip:+{OWNED};verstat=TN-Validation-Passed@192.0.2.11>", f"<sip:+{OWNED}@192.0.2.11>"),
    ],
)
def test_a_from_of_its_own_passes_in_plain_form(from_: str, arrives: str) -> None:
    """Another number of the account, nobody, a name: it goes on as everybody reads it, and comes back as written."""
    stage = Stage()
    stage.call()
    request = says(stage, stage.pbx, "UPDATE", from_)
    assert heard(stage, CARRIER_A, "UPDATE").required("from") == f"{arrives};tag=caller-tag"
    assert stage.pbx.responses[-1].code == 200
    assert stage.pbx.responses[-1].required("from") == request.required("from")
    stage.hang_up()
    stage.settle()


@pytest.mark.clause("PRV-01", "PRV-02", "RFC 3325 5")
@pytest.mark.parametrize("method", ["INVITE", "UPDATE", "INFO", "MESSAGE"])
@pytest.mark.parametrize("trusted", [False, True])
def test_asserted_identities_of_others_are_taken_off(method: str, trusted: bool) -> None:
    """Whatever a customer asserts inside a dialog for a number it has no right to does not leave, trusted or not."""
    trunks = tuple(
        next(item for item in changed(trunk.name, trusted=trusted) if item.name == trunk.name) for trunk in changed("")
    )
    stage = Stage(trunks=trunks)
    stage.call()
    rows = (
        ("p-asserted-identity", f"<sip:+{OWNED}@x>, <tel:+{FORGED}>"),
        ("p-preferred-identity", EVIL),
        ("remote-party-id", f"{EVIL};party=calling"),
    )
    says(stage, stage.pbx, method, None, *rows)
    there = heard(stage, CARRIER_A, method)
    assert not any(there.has(name) for name, _ in rows)
    says(stage, stage.pbx, method, None, ("p-asserted-identity", f"<sip:+{VERIFIED};verstat=TN-Validation-Passed@x>"))
    again = heard(stage, CARRIER_A, method).value("p-asserted-identity")
    assert again == (f"<sip:+{VERIFIED}@x>" if trusted else None)


@pytest.mark.clause("BLK-14", "RFC 4916 4.2")
@pytest.mark.parametrize("method", ["INVITE", "UPDATE", "INFO", "BYE"])
def test_a_replaced_number_stays_replaced(method: str) -> None:
    """On a trunk that replaces, the whole dialog is under the trunk's own number; each side sees what it wrote."""
    stage = Stage(trunks=changed("acme-pbx", on_mismatch=OnMismatch.REPLACE, default_number=OWNED))
    stage.call(from_value=f'"Your Bank" {EVIL}')
    request = says(stage, stage.pbx, method)
    there = heard(stage, CARRIER_A, method)
    assert there.required("from") == f"<sip:+{OWNED}@{PROXY[0]};user=phone>;tag=caller-tag"
    assert stage.pbx.responses[-1].required("from") == request.required("from")
    says(stage, stage.pbx, "INFO", f"<sip:+{FORGED}@elsewhere>")
    says(stage, stage.pbx, "UPDATE", f"<sip:+{FORGED}@elsewhere>")
    assert FORGED.encode() not in b"".join(stage.octets_to(CARRIER_A))


@pytest.mark.clause("BLK-14", "RFC 3261 12.2.1.1")
def test_the_callee_speaks_to_who_it_was_shown() -> None:
    """A request of the callee has the replaced number in To; the caller gets the To it knows, and the answer fits."""
    stage = Stage(trunks=changed("acme-pbx", on_mismatch=OnMismatch.REPLACE, default_number=OWNED))
    stage.call(from_value=EVIL)
    request = says(stage, stage.carrier, "INFO")
    assert OWNED in request.required("to")
    assert heard(stage, ACME_PBX, "INFO").required("to") == f"{EVIL};tag=caller-tag"
    answer = stage.carrier.responses[-1]
    assert (answer.code, answer.required("to")) == (200, request.required("to"))
    stage.hang_up(stage.carrier)
    stage.settle()


@pytest.mark.clause("RFC 4916 4.2")
@pytest.mark.parametrize("method", ["INFO", "BYE", "NOTIFY"])
def test_what_must_not_fail_goes_on_under_the_screened_number(method: str) -> None:
    """A BYE or INFO under a number of somebody else reaches the peer, with the From of the call."""
    stage = Stage()
    stage.call()
    says(stage, stage.pbx, method, EVIL)
    assert heard(stage, CARRIER_A, method).required("from") == f"<sip:+{OWNED}@192.0.2.11;user=phone>;tag=caller-tag"
    assert stage.pbx.codes[-1] == 200
    assert "refused" not in stage.events


@pytest.mark.clause("RFC 4916 4.2")
def test_an_ack_goes_on_under_the_screened_number() -> None:
    """An ACK cannot be refused."""
    stage = Stage()
    stage.call()
    ack = stage.pbx.in_dialog("ACK")
    ack.set("from", f"{EVIL};tag={ack.from_.tag}")
    stage.network.send_to_engine(ack.encode(), flow_from(ACME_PBX))
    stage.network.run(1)
    assert [item.from_.uri for item in stage.carrier.acks] == [f"sip:+{OWNED}@192.0.2.11;user=phone"] * 2


@pytest.mark.clause("EMG-04", "RFC 4916 4.2")
def test_an_emergency_call_is_not_refused_inside_either() -> None:
    """A re-INVITE of an emergency call goes on under the number that was screened."""
    stage = Stage()
    stage.call(uri=f"sip:911@{PROXY[0]};user=phone", called="911")
    says(stage, stage.pbx, "INVITE", EVIL)
    assert stage.pbx.codes[-1] == 200
    assert OWNED in heard(stage, RESCUE, "INVITE").required("from")


@pytest.mark.clause("RFC 4916 4.2", "PRX-24")
def test_after_a_restart_a_number_of_somebody_else_is_nobodys() -> None:
    """Of a call that nobody remembers an owned number passes, another one is taken off, and nothing fails."""
    stage = Stage()
    stage.call()
    stage.network.engine = stage.sample.restarted()
    says(stage, stage.pbx, "NOTIFY")
    assert OWNED in heard(stage, CARRIER_A, "NOTIFY").required("from")
    says(stage, stage.pbx, "NOTIFY", EVIL)
    assert heard(stage, CARRIER_A, "NOTIFY").required("from") == "<sip:unavailable@unknown.invalid>;tag=caller-tag"
    assert stage.pbx.codes[-1] == 200
    says(stage, stage.carrier, "NOTIFY")
    assert stage.carrier.codes[-1] == 200


@pytest.mark.clause("policy")
@pytest.mark.parametrize(
    ("modes", "trunk"),
    [
        ({RULE: Mode.REPORT}, {}),
        ({RULE: Mode.OFF}, {}),
        ({}, {"on_mismatch": OnMismatch.DOWNGRADE}),
        ({}, {"on_mismatch": OnMismatch.REPORT}),
        ({}, {"gateway": True}),
    ],
)
def test_the_operator_may_let_it_pass(modes: dict[str, Mode], trunk: dict[str, Any]) -> None:
    """A rule that only reports, a trunk that downgrades, a gateway: the From passes, and is counted where it should."""
    stage = Stage(trunks=changed("acme-pbx", **trunk), policy=PolicySettings(modes=modes))
    stage.call()
    says(stage, stage.pbx, "INVITE", EVIL)
    assert heard(stage, CARRIER_A, "INVITE").from_.uri == f"sip:+{FORGED}@192.0.2.11"
    counted = stage.engine.counters.get(("reported", "dialog", RULE), 0) > 0  # the re-INVITE, and its ACK
    assert counted is not (Mode.OFF in modes.values() or "gateway" in trunk)


@pytest.mark.clause("RFC 6665 4.1.2", "VS-27")
def test_a_subscription_is_refreshed_under_the_from_that_opened_it() -> None:
    """Nothing was verified for either: both show the customer the same From, and nobody's word for it."""
    stage = Stage()
    stage.arrives(method="SUBSCRIBE", headers=("Event: presence",))
    first = stage.pbx.requests[0]
    refresh = invite(
        calling="12125550123", called=OWNED, source=CARRIER_A, method="SUBSCRIBE", call_id="call-2@sample",
        uri=f"sip:{ACME_PBX[0]}", headers=("Event: presence", f"Route: {first.listed('record-route')[0]}"),
    )  # fmt: skip
    refresh.set("call-id", first.call_id)
    refresh.set("cseq", "2 SUBSCRIBE")
    refresh.set("to", f"{refresh.required('to')};tag=callee-tag")
    for lie in ("", ";verstat=TN-Validation-Passed"):
        refresh.set("from", f"<sip:+12125550123{lie}@{CARRIER_A[0]};user=phone>;tag=caller-tag")
        refresh.set("via", refresh.required("via").replace("call-2", f"call-2{len(lie)}"))
        stage.network.inject(refresh.encode(), flow_from(CARRIER_A))
        stage.network.run(1)
        assert len(stage.requests_to(ACME_PBX, "SUBSCRIBE")) == (3 if lie else 2)
        assert heard(stage, ACME_PBX, "SUBSCRIBE").required("from") == first.required("from")


@pytest.mark.clause("RFC 4916 4.2", "VS-27")
@pytest.mark.parametrize("trusted", [False, True])
def test_the_networks_from_inside_a_dialog(trusted: bool) -> None:
    """The own From of a call from the network keeps our verdict; a new one has none, and nobody else's."""
    stage = Stage(trunks=changed("carrier-a", trusted=trusted))
    stage.arrives()
    first = stage.pbx.requests[0].required("from")
    assert "verstat=No-TN-Validation" in first
    says(stage, stage.carrier, "UPDATE")
    assert heard(stage, ACME_PBX, "UPDATE").required("from") == first
    liar = f"<sip:+{FORGED};verstat=TN-Validation-Passed@192.0.2.21>"
    says(stage, stage.carrier, "UPDATE", liar, ("p-asserted-identity", liar))
    there = heard(stage, ACME_PBX, "UPDATE")
    assert there.from_.uri == f"sip:+{FORGED};verstat=No-TN-Validation@192.0.2.21;user=phone"
    assert "TN-Validation-Passed" not in there.encode().decode()
    says(stage, stage.pbx, "INFO")
    assert (
        heard(stage, CARRIER_A, "INFO").required("to").partition(";tag")[0]
        == "<sip:+12125550123@192.0.2.21;user=phone>"
    )


@pytest.mark.clause("RFC 4916 4.2", "PRV-01")
def test_a_called_customer_speaks_as_who_was_called() -> None:
    """Who was called may speak as that, whatever stands in To, and as no other."""
    stage = Stage()
    stage.arrives()
    says(stage, stage.pbx, "INVITE")
    assert stage.pbx.codes[-1] == 200
    says(stage, stage.pbx, "INVITE", EVIL)
    assert stage.pbx.codes[-1] == 403
    assert readers.callers(b"".join(stage.octets_to(CARRIER_A))).isdisjoint({FORGED})
    assert stage.record("refused")["rule"] == RULE
