"""What the next hop reads is what was checked: no spelling makes another reader see another number than the record."""

from typing import Any

import pytest

from sipguard.testing.sample import ACME_PBX, CARRIER_A, OWNED, changed, flow_from
from tests.flows.same_view import hostile, readers
from tests.flows.stage import Stage

Case = tuple[str, int | None]
SDP = "v=0\r\no=- 1 1 IN IP4 192.0.2.11\r\ns=-\r\nc=IN IP4 192.0.2.11\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"


def message(
    uri: str = f"sip:{hostile.CALLED}@192.0.2.1",
    from_: str = f"From: {hostile.OWN}{hostile.TAG}",
    to: str = f"To: <sip:{hostile.CALLED}@192.0.2.1>",
    more: str = "X-Nothing: a",
    source: tuple[str, int] = ACME_PBX,
) -> bytes:
    """An INVITE as it stands, unread by any code of ours."""
    rows = (
        f"INVITE {uri} SIP/2.0",
        f"Via: SIP/2.0/UDP {source[0]}:{source[1]};branch=z9hG4bKhostile;rport",
        more,
        from_,
        to,
        "Call-ID: hostile@sample",
        "CSeq: 1 INVITE",
        f"Contact: <sip:{source[0]}:{source[1]}>",
        "Max-Forwards: 70",
        "Content-Type: application/sdp",
        f"Content-Length: {len(SDP)}",
        "",
        SDP,
    )
    return "\r\n".join(rows).encode("latin-1")


def on_record(stage: Stage, member: str, *names: str) -> set[str]:
    """The canonical numbers the decision record names under a member.

    Digits that are no number in the trunk's plan are on record as dialled, and a reader may dial on from there.
    """
    found = stage.record("decision").get(member, {})
    numbers = [found.get(name) for name in names] + list(found.get("asserted", []))
    return {number for number in numbers if number} | {
        readers.dialled(number) for number in numbers if number and number.startswith("0")
    }


def outcome(stage: Stage, data: bytes, source: tuple[str, int], target: tuple[str, int]) -> int | None:
    """Send a message in: the status it was refused with, None when it left; what left is read by everybody."""
    stage.network.inject(data, flow_from(source))
    left = [octets for octets in stage.octets_to(target) if octets.startswith(b"INVITE ")]
    if not left:
        codes = [int(octets[8:11]) for octets in stage.octets_to(source) if octets.startswith(b"SIP/2.0 ")]
        return codes[-1]
    for octets in left:
        read_by_everybody(stage, octets)
    return None


def read_by_everybody(stage: Stage, octets: bytes) -> None:
    """No reader sees a number that is not on record, or two rows where there is one."""
    assert readers.callers(octets) <= on_record(stage, "calling", "effective", "from", "replaced")
    assert readers.called(octets) <= on_record(stage, "called", "request_uri", "to")
    assert readers.repeated(octets) == []


def by_name(table: dict[str, Case]) -> Any:
    """One test per spelling."""
    return pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in table.items()])


@pytest.mark.clause("PRV-13", "PRV-15", "PRV-20", "MSG-15", "MSG-16", "RFC 3261 7.3.1")
@by_name(hostile.FROM)
def test_from(case: Case) -> None:
    """Every spelling of From: refused, or read as the owned number by everybody, which nobody says was verified."""
    stage = Stage()
    row, expected = case
    assert outcome(stage, message(from_=row), ACME_PBX, CARRIER_A) == expected
    for octets in stage.octets_to(CARRIER_A):
        assert readers.callers(octets) == {OWNED}
        assert b"verstat" not in octets.lower()
    stage.settle()


@pytest.mark.clause("PRV-01", "PRV-12", "PRV-13", "PRV-20")
@by_name(hostile.FROM)
def test_from_beside_an_asserted_number(case: Case) -> None:
    """With an owned number beside it a name in From is enough; no spelling makes that name another number."""
    stage = Stage()
    row = f"P-Asserted-Identity: {hostile.OWN}\r\nPrivacy: none"
    outcome(stage, message(from_=case[0], more=row), ACME_PBX, CARRIER_A)
    for octets in stage.octets_to(CARRIER_A):
        assert readers.callers(octets) == {OWNED}
    stage.settle()


@pytest.mark.clause("PRV-01", "PRV-02", "PRV-05", "MSG-16")
@by_name(hostile.IDENTITY)
def test_identity_fields(case: Case) -> None:
    """Every spelling of an identity field: refused, or read as numbers of the record by everybody."""
    stage = Stage()
    row, expected = case
    assert outcome(stage, message(more=row), ACME_PBX, CARRIER_A) == expected
    for octets in stage.octets_to(CARRIER_A):
        assert b"verstat" not in octets.lower()
    stage.settle()


@pytest.mark.clause("PRV-03", "RFC 3323 4.2")
@by_name(hostile.PRIVACY)
def test_privacy(case: Case) -> None:
    """However the wish for privacy is spelled, the asserted number does not leave the trust domain."""
    stage = Stage()
    more = f"P-Asserted-Identity: {hostile.OWN}\r\n{case[0]}"
    assert outcome(stage, message(from_=f"From: {hostile.ANONYMOUS}", more=more), ACME_PBX, CARRIER_A) is None
    for octets in stage.octets_to(CARRIER_A):
        assert b"P-Asserted-Identity" not in octets
        assert OWNED.encode() not in octets
    stage.settle()


@pytest.mark.clause("PRV-01", "PRV-05")
@by_name(hostile.IDENTITY)
def test_identity_fields_towards_a_trusted_carrier(case: Case) -> None:
    """A carrier inside the trust domain is shown no more."""
    stage = Stage(trunks=changed("carrier-a", trusted=True))
    assert outcome(stage, message(more=case[0]), ACME_PBX, CARRIER_A) == case[1]
    stage.settle()


@pytest.mark.clause("AS-08", "PRV-17")
@by_name(hostile.TO)
def test_to(case: Case) -> None:
    """Every spelling of To: refused, or read as a called number of the record; responses show what the caller wrote."""
    stage = Stage()
    row, expected = case
    assert outcome(stage, message(to=row), ACME_PBX, CARRIER_A) == expected
    stage.network.run(2)
    if expected is None:
        for octets in stage.octets_to(ACME_PBX)[1:]:
            assert row.encode("latin-1") + b";tag=" in octets
    stage.settle()


@pytest.mark.clause("PRX-11", "MSG-15", "PRV-17")
@by_name(hostile.REQUEST_URI)
def test_request_uri(case: Case) -> None:
    """Every spelling of the Request-URI: refused, or read as the called number by everybody."""
    stage = Stage()
    uri, expected = case
    assert outcome(stage, message(uri=uri), ACME_PBX, CARRIER_A) == expected
    for octets in stage.octets_to(CARRIER_A):
        assert readers.called(octets) == {hostile.CALLED[1:]}
        assert hostile.OTHER[1:].encode() not in octets.partition(b"\r\n")[0]
    stage.settle()


@pytest.mark.clause("PRV-01", "VS-27", "PRV-20")
@pytest.mark.parametrize("trusted", [False, True])
@by_name(hostile.FROM | hostile.IDENTITY)
def test_from_the_network(case: Case, trusted: bool) -> None:
    """Towards a customer too everybody reads numbers of the record, and no verdict but ours."""
    stage = Stage(trunks=changed("carrier-a", trusted=trusted))
    row = case[0]
    whole = {"from_": row} if case in hostile.FROM.values() else {"more": row}
    data = message(uri=f"sip:+{OWNED}@192.0.2.1", source=CARRIER_A, **whole)
    outcome(stage, data, CARRIER_A, ACME_PBX)
    for octets in stage.octets_to(ACME_PBX):
        assert b"TN-Validation-Passed" not in octets
    stage.settle()
