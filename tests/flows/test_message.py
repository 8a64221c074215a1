"""MESSAGE (RFC 3428): a request outside any dialog, screened like a call, that makes none."""

import pytest

from sipguard.sip.message import Request
from sipguard.testing.sample import CARRIER_A, CARRIER_A_SPARE, PROXY, changed, invite
from tests.flows.stage import Stage

TEXT = "x" * 2048


def message(size: int = 2048, **changes: object) -> Request:
    """A MESSAGE without a Contact and with so much text."""
    request = invite(method="MESSAGE", **changes)  # type: ignore[arg-type]
    request.remove("contact")
    request.set("content-type", "text/plain")
    request.set("content-length", str(size))
    request.body = TEXT[:size].encode()
    return request


def over(stage: Stage) -> list[str]:
    """The transports that MESSAGEs went to the carrier by."""
    return [send.flow.transport for _, send in stage.network.sent if send.data.startswith(b"MESSAGE")]


@pytest.mark.clause("EXT-05", "TRN-02", "RFC 3428 8", "RFC 3261 18.1.1")
def test_a_large_message_leaves_over_tcp() -> None:
    """2 kB come by UDP and leave by TCP, with Via, Content-Length and body right, and the 200 goes back by UDP."""
    stage = Stage()
    stage.carrier = stage.agent(CARRIER_A, "carrier-a", transport="tcp", listener=1)
    stage.pbx.start(message())
    stage.network.run(1)
    assert over(stage) == ["tcp"]
    (sent,) = stage.requests_to(CARRIER_A, "MESSAGE")
    assert sent.listed("via")[0].startswith(f"SIP/2.0/TCP {PROXY[0]}:{PROXY[1]};branch=")
    assert (sent.value("content-length"), sent.body) == ("2048", TEXT.encode())
    assert stage.pbx.codes == [200]
    stage.settle()


@pytest.mark.clause("EXT-05", "TRN-02")
def test_a_large_message_to_who_takes_no_tcp() -> None:
    """The connection is refused: the same MESSAGE at once by UDP, and answered once."""
    stage = Stage()
    stage.network.no_streams.add(CARRIER_A)
    stage.pbx.start(message())
    stage.network.run(1)
    assert over(stage) == ["tcp", "udp"]
    assert stage.octets_to(CARRIER_A_SPARE) == []
    assert stage.pbx.codes == [200]
    stage.settle()


@pytest.mark.clause("EXT-05", "PRX-08", "RFC 3428 4")
def test_a_message_makes_no_dialog() -> None:
    """No Contact is asked for or put in, no Record-Route, no 100, no call that is up; screened and recorded it is."""
    stage = Stage()
    stage.pbx.start(message(40))
    stage.network.run(1)
    (sent,) = stage.requests_to(CARRIER_A, "MESSAGE")
    assert not sent.has("contact")
    assert not sent.has("record-route")
    assert stage.pbx.codes == [200]
    assert stage.engine.active_calls == 0
    assert stage.events == ["decision"]
    stage.settle()


@pytest.mark.clause("EXT-05", "TXN-21", "RFC 3428 6")
def test_a_message_is_repeated_and_answered_as_a_non_invite() -> None:
    """Lost ones come again by Timer E, a repeated one gets the last answer and is not forwarded again."""
    stage = Stage()
    stage.network.detach(CARRIER_A)
    stage.pbx.start(message(40))
    stage.network.run(1.6)  # at 0, 0.5 and 1.5 seconds
    assert over(stage) == ["udp"] * 3
    stage.network.attach(CARRIER_A, stage.carrier)
    stage.network.run(3)
    assert stage.pbx.codes == [100, 200]  # the 100 when the client's Timer E has reached T2 (RFC 4320 4.1)
    count = len(over(stage))
    before = len(stage.network.sent)
    stage.pbx.network.send_to_engine(message(40).encode(), stage.network.sent[-1][1].flow)
    stage.network.run(1)
    assert len(over(stage)) == count
    assert [send.data[:11] for _, send in stage.network.sent[before:]] == [b"SIP/2.0 200"]
    stage.settle()


@pytest.mark.clause("EXT-05")
def test_a_message_with_a_forged_number_is_refused() -> None:
    """What a customer may say about itself is the same in a MESSAGE."""
    stage = Stage()
    stage.pbx.start(message(40, calling="14155559999"))
    stage.network.run(1)
    assert stage.pbx.codes == [403]
    assert stage.octets_to(CARRIER_A) == []


@pytest.mark.clause("EXT-05", "RFC 3428 8")
def test_a_udp_only_trunk_gets_large_messages_as_datagrams() -> None:
    """The operator knows that the neighbour takes no TCP, and that the path carries large datagrams."""
    stage = Stage(trunks=changed("carrier-a", udp_only=True))
    stage.pbx.start(message())
    stage.network.run(1)
    assert over(stage) == ["udp"]
