"""Strangers that probe: each rule by itself, how long a ban lasts, and who is never banned."""

from dataclasses import replace
from typing import Any

import pytest

from sipguard.engine import Ask, Close, Send
from sipguard.policy.rules import Mode
from sipguard.policy.settings import PolicySettings, ScannerSettings
from sipguard.proxy.bans import Bans
from sipguard.sip.flow import Flow
from sipguard.testing.network import Endpoint
from sipguard.testing.sample import ACME_PBX, CARRIER_A, PROXY, changed, flow_from, invite
from tests.flows.credentials import ROAMING, Telephone, asking, authorised
from tests.flows.stage import LONG, Stage, octets

STRANGER: Endpoint = ("203.0.113.9", 5060)
TOOL = "User-Agent: friendly-scanner"
STRICT = ScannerSettings(users=5, digest_failures=3, malformed=4)


def stage_with(settings: ScannerSettings = STRICT, **modes: Mode) -> Stage:
    """A stage under these settings; modes of rules by the second half of their names, ``_`` for ``-``."""
    named = {f"scan.{name.replace('_', '-')}": mode for name, mode in modes.items()}
    return Stage(policy=PolicySettings(scanners=settings, modes=named))


def ask(stage: Stage, user: str = "100", source: Endpoint = STRANGER, *rows: str, method: str = "OPTIONS") -> list[Any]:
    """A request for a user from an address; what leaves at once."""
    number = len(stage.network.sent) + int(stage.network.now * 1000) + hash(user) % 10_000_000
    uri = f"sip:{PROXY[0]}" if method == "REGISTER" else f"sip:{user}@{PROXY[0]}"
    head = (
        f"{method} {uri} SIP/2.0", f"Via: SIP/2.0/UDP {source[0]}:{source[1]};branch=z9hG4bK{number}",
        f"To: <sip:{user}@x>", "From: <sip:a@b>;tag=1", f"Call-ID: {number}@x", f"CSeq: 1 {method}",
        "Max-Forwards: 70", *rows,
    )  # fmt: skip
    return stage.network.inject(octets(*head), flow_from(source))


def sends(outputs: list[Any]) -> list[Any]:
    """What is done for a request: messages that leave, and records that are to be written before one does."""
    return [output for output in outputs if isinstance(output, Ask | Send)]


def bans(stage: Stage) -> list[tuple[object, object, object, object]]:
    """The bans that were logged: source, rule, seconds, offence."""
    fields = [log.fields for log in stage.network.logs if log.event == "source.banned"]
    return [(said["source"], said["rule"], said["seconds"], said["offence"]) for said in fields]


def is_heard(stage: Stage, source: Endpoint = STRANGER) -> bool:
    """Whether a harmless question from there is answered."""
    return bool(sends(ask(stage, "somebody", source)))


@pytest.mark.parametrize("agent", ["friendly-scanner", "SIPVicious 0.3", "sipcli/v1.8", "sundayddr", "pplsip"])
def test_a_tool_is_known_by_its_name(agent: str) -> None:
    """Its first message gets no answer and leaves nothing, its source is banned."""
    stage = stage_with()
    assert sends(ask(stage, "100", STRANGER, f"User-Agent: {agent}")) == []
    assert bans(stage) == [(STRANGER[0], "scan.user-agent", 60, 1)]
    assert stage.engine.open_transactions == 0
    assert stage.engine.banned == 1
    assert not is_heard(stage)
    assert stage.engine.counters["bans", "scan.user-agent"] == 1
    assert stage.engine.counters["banned_messages",] == 1


@pytest.mark.parametrize("user", ["admin", "ADMIN", "%61dmin", "admin;x=y"])
@pytest.mark.parametrize("method", ["OPTIONS", "INVITE", "REGISTER"])
def test_a_honeypot_is_a_trap_however_it_is_written(user: str, method: str) -> None:
    """Whoever asks for a user that nobody has is banned, for REGISTER by To."""
    stage = stage_with(replace(STRICT, honeypots=frozenset(("admin",))))
    assert is_heard(stage)
    assert sends(ask(stage, user.partition(";")[0], STRANGER, method=method)) == []
    assert bans(stage) == [(STRANGER[0], "scan.honeypot", 60, 1)]


@pytest.mark.parametrize("method", ["OPTIONS", "INVITE", "REGISTER"])
def test_many_users_from_one_source_are_a_scan(method: str) -> None:
    """Four different users are answered, the fifth is not, and nothing after it."""
    stage = stage_with()
    heard = [bool(sends(ask(stage, str(100 + number), STRANGER, method=method))) for number in range(7)]
    assert heard == [True] * 4 + [False] * 3
    assert bans(stage) == [(STRANGER[0], "scan.users", 60, 1)]


def test_the_same_user_again_and_again_is_no_scan() -> None:
    """Only different users count, and only those within the window."""
    stage = stage_with()
    assert all(sends(ask(stage, "100")) for _ in range(20) if stage.network.run(0.5) is None)
    for number in range(20):
        stage.network.run(STRICT.window / 3)
        assert sends(ask(stage, str(number)))
    assert bans(stage) == []


def test_wrong_passwords_ban_and_a_right_one_speaks_for_its_address() -> None:
    """The third wrong password bans; from where a right one came, wrong ones and other evidence do not."""
    stage = asking()
    stage.engine.reconfigure(replace(stage.sample.view, policy=replace(stage.policy, scanners=STRICT)))
    telephone = Telephone(stage)
    request, challenge = telephone.challenged()
    for number in range(3):
        telephone.call(authorised(request, challenge, password="wrong", cseq=number + 2), seconds=0.5)
    assert bans(stage) == [(ROAMING[0], "scan.digest", 60, 1)]
    stage.network.run(61.0)
    request, challenge = telephone.challenged(call_id="call-2@sample")
    assert telephone.call(authorised(request, challenge, cseq=8)).code == 200
    for number in range(5):
        telephone.call(authorised(request, challenge, password="wrong", cseq=number + 9), seconds=0.5)
    assert sends(ask(stage, "100", ROAMING, TOOL))
    assert len(bans(stage)) == 1


def forged(stage: Stage) -> None:
    """Somebody has the customer that is known by its password alone banned, before it has ever proved it."""
    stage.engine.reconfigure(replace(stage.sample.view, policy=replace(stage.policy, scanners=STRICT)))
    ask(stage, "100", ROAMING, TOOL)
    assert stage.engine.banned == 1
    assert not is_heard(stage, ROAMING)


HELP: dict[str, Any] = {"called": "911", "uri": f"sip:911@{PROXY[0]};user=phone"}


@pytest.mark.clause("EMG-04", "EMG-01")
@pytest.mark.parametrize("uri", [f"sip:911@{PROXY[0]}", f"sip:9%2D1%2D1@{PROXY[0]}", "tel:+1911", "urn:service:sos"])
def test_a_banned_customer_that_nobody_knows_yet_calls_help(uri: str) -> None:
    """It is asked for its password, the right one lifts the ban, and its call is an emergency call."""
    stage = asking()
    forged(stage)
    telephone = Telephone(stage)
    request, challenge = telephone.challenged(**HELP | {"uri": uri})
    assert stage.engine.banned == 1
    assert telephone.call(authorised(request, challenge)).code != 407
    assert stage.engine.banned == 0
    assert stage.record("decision")["trunk"] == "acme-roaming"
    assert stage.record("decision")["emergency"] in ("911", "urn:service:sos")
    assert any(log.event == "source.unbanned" and log.fields["why"] == "pardoned" for log in stage.network.logs)


@pytest.mark.clause("EMG-04")
def test_the_door_for_help_lets_nothing_else_in() -> None:
    """No other number, whatever To says, no other method, no nonsense, nobody where no customer has a password."""
    stage = asking()
    forged(stage)
    for request in (
        invite(source=ROAMING, called="911", uri=f"sip:+19005550100@{PROXY[0]}"),
        invite(source=ROAMING, uri=f"sip:100@{PROXY[0]}"),
        invite(source=ROAMING, uri=f"sip:911@{'x' * 300}"),
        invite(source=ROAMING, uri="sip:@"),
        invite(source=ROAMING, headers=(TOOL,), **HELP),
    ):
        assert sends(stage.network.inject(request.encode(), flow_from(ROAMING))) == []
    assert sends(ask(stage, "911", ROAMING)) == []
    assert sends(stage.network.inject(b"INVITE sip:911", flow_from(ROAMING))) == []
    assert stage.engine.open_transactions == 0
    nobody = stage_with()
    ask(nobody, "100", STRANGER, TOOL)
    request = invite(source=STRANGER, **HELP)
    assert sends(nobody.network.inject(request.encode(), flow_from(STRANGER))) == []


@pytest.mark.clause("EMG-04", "PRX-36")
def test_the_door_for_help_is_no_hole() -> None:
    """Ten calls at once, then one every three seconds for each source; of all sources together forty and twenty."""
    stage = asking()
    view = stage.sample.view
    stage.engine.reconfigure(replace(view, policy=replace(stage.policy, scanners=STRICT)))
    sources = [(f"203.0.113.{number}", 5060) for number in range(1, 7)]
    for source in sources:
        ask(stage, "100", source, TOOL)

    def heard(source: Endpoint, count: int) -> int:
        start = len(stage.network.sent)
        calls = (invite(source=source, call_id=f"{source[0]}-{start}-{n}@x", **HELP) for n in range(count))
        return sum(bool(sends(stage.network.inject(call.encode(), flow_from(source)))) for call in calls)

    assert heard(sources[0], 30) == 10
    stage.network.run(3.0)
    assert heard(sources[0], 30) == 1
    stage.network.run(3.0)
    assert sum(heard(source, 30) for source in sources[1:]) == 40
    stage.network.run(40.0)
    for number in range(10):
        call = invite(source=sources[1], call_id=f"short-{number}@x", uri=f"sip:{1000 + number}@{PROXY[0]}")
        assert sends(stage.network.inject(call.encode(), flow_from(sources[1]))) == []
    assert heard(sources[1], 1) == 0  # to be looked at takes a place, too
    assert heard(sources[2], 1) == 1


@pytest.mark.clause("EMG-04")
@pytest.mark.parametrize("uri", ["sip:4155550123@192.0.2.1", "sip:+14155550123@192.0.2.1", "tel:+14155550123"])
def test_ordinary_calls_of_a_banned_customer_take_no_place_of_its_call_for_help(uri: str) -> None:
    """An exchange that goes on calling as before, ten digits as in North America, is still heard with 911."""
    stage = asking()
    forged(stage)
    for number in range(30):
        call = invite(source=ROAMING, call_id=f"plain-{number}@x", uri=uri)
        assert sends(stage.network.inject(call.encode(), flow_from(ROAMING))) == []
    assert sends(stage.network.inject(invite(source=ROAMING, **HELP).encode(), flow_from(ROAMING)))


@pytest.mark.clause("EMG-04")
def test_the_connection_of_a_banned_customer_outlives_the_question_for_its_password() -> None:
    """The call and the ACK of the 407 close nothing; anything else does."""
    stage = asking()
    forged(stage)
    flow = Flow(1, "tcp", *ROAMING, 7)
    request = invite(source=ROAMING, transport="TCP", **HELP)
    outputs = stage.network.inject(request.encode(), flow)
    assert any(isinstance(output, Send) and b"407 " in output.data for output in outputs)
    ack = request.encode().replace(b"INVITE", b"ACK")
    assert stage.network.inject(ack, flow) == []
    assert stage.network.inject(request.encode().replace(b"sip:911@", b"sip:100@"), flow) == [Close(flow)]


def test_rubbish_bans_when_it_is_most_of_what_comes() -> None:
    """Four messages that are no SIP ban a source; not one that sends more that is."""
    stage = stage_with()
    rubbish = f"INVITE sip:a@{PROXY[0]} SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.9;branch=z9hG4bK1\r\n\r\n".encode()
    other = ("203.0.113.10", 5060)
    for _ in range(6):
        ask(stage, "100", other)
    heard = []
    for _ in range(5):
        stage.network.inject(rubbish, flow_from(other))
        heard.append(bool(sends(stage.network.inject(rubbish, flow_from(STRANGER)))))
    assert heard == [True, True, True, False, False]
    assert bans(stage) == [(STRANGER[0], "scan.malformed", 60, 1)]


def test_bans_grow_and_are_forgotten() -> None:
    """Each ban is longer than the one before, up to the last; after a quiet time the next is a first one."""
    settings = replace(STRICT, bans=(60.0, 300.0, 900.0), forget_after=3600.0)
    stage = stage_with(settings)
    for seconds in (60, 300, 900, 900):
        ask(stage, "100", STRANGER, TOOL)
        stage.network.run(seconds - 1.0)
        assert not is_heard(stage)
        stage.network.run(2.0)
        assert is_heard(stage)
    stage.network.run(3600.0)
    ask(stage, "100", STRANGER, TOOL)
    assert [(ban[2], ban[3]) for ban in bans(stage)] == [(60, 1), (300, 2), (900, 3), (900, 4), (60, 1)]
    ended = [log.fields for log in stage.network.logs if log.event == "source.unbanned"]
    assert [(fields["why"], fields["dropped"]) for fields in ended] == [("expired", 1)] * 4
    stage.network.run(61.0)
    stage.settle()


def test_calls_that_were_dropped_are_on_record_by_their_number() -> None:
    """A banned source's INVITEs have one record together, when the ban is over."""
    stage = stage_with()
    ask(stage, "100", STRANGER, TOOL)
    for number in range(3):
        ask(stage, str(number), method="INVITE")
    ask(stage, "100")
    stage.network.run(LONG)
    record = stage.record("shed")
    assert (record["rule"], record["calls"]) == ("scan.user-agent", {"unknown": 3})


@pytest.mark.parametrize("source", [ACME_PBX, CARRIER_A])
def test_a_trunk_is_never_banned_unless_the_operator_says_so(source: Endpoint) -> None:
    """Neither its tools nor its rubbish count, but with ban_trunks; the number of users it calls never does."""
    stage = stage_with()
    for _ in range(10):
        assert sends(ask(stage, "100", source, TOOL))
        stage.network.inject(b"OPTIONS rubbish", flow_from(source))
    assert bans(stage) == []
    strict = stage_with(replace(STRICT, ban_trunks=True))
    assert all(sends(ask(strict, str(number), source)) for number in range(20))
    assert sends(ask(strict, "100", source, TOOL)) == []
    assert bans(strict) == [(source[0], "scan.user-agent", 60, 1)]


def test_the_target_of_a_trunk_is_never_banned() -> None:
    """Somebody who forges the address of a carrier that only receives does not make us deaf to it."""
    stage = Stage(trunks=changed("carrier-a", sources=()))
    assert sends(ask(stage, "100", CARRIER_A, TOOL))
    assert bans(stage) == []


def test_the_responses_of_a_banned_source_are_heard() -> None:
    """A ban drops requests and rubbish; a response belongs to a request of ours or is dropped for itself."""
    flow = flow_from(STRANGER)
    stage = stage_with()
    ask(stage, "100", STRANGER, TOOL)
    keeper: Bans = stage.engine._scanners.bans
    assert keeper.drops(b"\0\1", flow, 0.0)
    assert not keeper.drops(b"SIP/2.0 200 OK\r\n", flow, 0.0)


@pytest.mark.parametrize("entry", ["203.0.113.9", "203.0.113.0/24"])
def test_the_operators_list_is_spared(entry: str) -> None:
    """An allowed address, or one of an allowed network, is not banned."""
    stage = stage_with(replace(STRICT, allow=("2001:db8::/32", entry)))
    assert sends(ask(stage, "100", STRANGER, TOOL))
    assert bans(stage) == []


def test_a_ban_survives_a_reload_and_ends_for_who_is_a_trunk_or_allowed_now() -> None:
    """Other settings change nothing for a banned source, but that it is spared now."""
    stage = stage_with()
    others = [("203.0.113.10", 5060), ("203.0.113.11", 5060)]
    for source in (STRANGER, *others):
        ask(stage, "100", source, TOOL)
    directory = Stage(trunks=changed("acme-pbx", sources=(ACME_PBX[0], others[0][0]))).directory
    allowed = replace(stage.policy, scanners=replace(STRICT, allow=(others[1][0],)))
    stage.engine.reconfigure(replace(stage.sample.view, policy=allowed, directory=directory))
    assert [is_heard(stage, source) for source in (STRANGER, *others)] == [False, True, True]
    assert stage.engine.banned == 1


@pytest.mark.parametrize("mode", [Mode.REPORT, Mode.OFF])
def test_a_rule_that_is_not_switched_on_bans_nobody(mode: Mode) -> None:
    """In report mode a match is counted and logged, switched off it is nothing."""
    stage = stage_with(user_agent=mode)
    for _ in range(100):
        assert sends(ask(stage, "100", STRANGER, TOOL))
    assert bans(stage) == []
    reported = stage.engine.counters.get(("reported", "unknown", "scan.user-agent"), 0)
    logged = [log for log in stage.network.logs if log.event == "source.suspicious"]
    assert (reported, len(logged)) == ((100, 60) if mode is Mode.REPORT else (0, 0))


def test_the_table_of_bans_is_bounded() -> None:
    """The oldest ban makes room, and the log is bounded too: lines that are left out are counted."""
    stage = stage_with(replace(STRICT, banned=100, watched=100))
    for number in range(1000):
        ask(stage, "100", (f"203.0.{113 + number // 250}.{number % 250}", 5060), TOOL)
    assert stage.engine.banned == 100
    assert stage.engine.counters["bans", "scan.user-agent"] == 1000
    assert len(bans(stage)) == 600
    stage.network.run(61.0)
    assert stage.engine.banned == 0
    ask(stage, "100", STRANGER, TOOL)
    assert [log.fields["unlogged"] for log in stage.network.logs if log.event == "source.banned"][-1] == 400
    stage.settle()


def test_a_banned_source_loses_its_connection() -> None:
    """On a stream the connection is closed, by the message that bans and by every later one."""
    stage = stage_with()
    flow = Flow(1, "tcp", *STRANGER, 7)
    request = invite(source=STRANGER, headers=(TOOL,), transport="TCP")
    for _ in range(2):
        outputs = stage.network.inject(request.encode(), flow)
        assert sends(outputs) == []
        assert Close(flow) in outputs


def test_a_bug_in_looking_for_scanners_costs_no_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is logged, and the call goes on."""
    stage = stage_with()
    monkeypatch.setattr(stage.engine._scanners, "rejects", None)
    stage.call()
    assert stage.pbx.codes[-1] == 200
    assert all("'door': 'scanners'" in error for error in stage.errors)
    assert stage.errors


def test_inside_a_dialog_and_behind_a_request_nobody_is_looked_at() -> None:
    """ACK, CANCEL and what has a To tag belong to something else: its own rules answer."""
    stage = stage_with(replace(STRICT, honeypots=frozenset(("100",))))
    head = ("Via: SIP/2.0/UDP 203.0.113.9;branch=z9hG4bK7", "From: <sip:a@b>;tag=1", "Call-ID: 7@x", "Max-Forwards: 70")
    for method, to in (("ACK", "<sip:100@x>"), ("CANCEL", "<sip:100@x>"), ("BYE", "<sip:100@x>;tag=2")):
        rows = (f"{method} sip:100@{PROXY[0]} SIP/2.0", *head, f"To: {to}", f"CSeq: 1 {method}", TOOL)
        stage.network.inject(octets(*rows), flow_from(STRANGER))
    assert bans(stage) == []
