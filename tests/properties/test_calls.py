"""Calls between a caller, the proxy and two carriers that keep to no rule: a state machine played by Hypothesis.

Every party may say anything that has the shape of SIP at any time: send again what was sent before, answer what was
answered long ago with another code, cancel, acknowledge or end what is not up, be silent for minutes. What the proxy
sends is looked at on the spot (``chaos.look_at``); at the end of each play its books must balance.
"""

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sipguard.policy.need import Answer, CommitNeed, Need, Server, TargetAnswer, TargetNeed
from sipguard.sip.flow import Flow, Send
from sipguard.sip.message import Request, Response
from sipguard.sip.parser import parse
from sipguard.testing.sample import (
    ACME_PBX,
    CARRIER_A,
    CARRIER_A_SPARE,
    FORGED,
    OWNED,
    PROXY,
    WALL,
    Sample,
    invite,
)
from sipguard.testing.user_agent import contact_of, route_set
from tests.properties.chaos import MOST_UP, SAMPLES, Chaos

CODES = (200, 200, 180, 200, 100, 183, 199, 202, 302, 400, 401, 404, 408, 421, 480, 486, 487, 491, 500, 503, 600, 603)
TAGS = ("one", "two")
WAITS = (0.0, 0.1, 0.6, 4.0, 20.0, 33.0, 185.0)
T4 = 5.0
INSIDE = ("BYE", "INVITE", "UPDATE", "INFO", "REFER", "PRACK", "ACK")
ANY = st.one_of(st.just(0), st.integers(0, 15))  # which of what there is, newest first


class Calls(RuleBasedStateMachine):
    """One engine and its neighbours."""

    @initialize(sample=st.sampled_from(SAMPLES), durable=st.sampled_from((True, True, True, False)))
    def raise_the_curtain(self, sample: Sample, durable: bool) -> None:
        """One of the sample operators; its log is as prompt as a disk, or waits for the play to ``decide``."""
        self.durable = durable
        self.usage = sample.view.usage
        self.most_up = MOST_UP if sample is SAMPLES[-1] else {}
        self.chaos = Chaos(sample)
        self.said: list[tuple[Request, Flow, float]] = []  # requests of the neighbours, and when
        self.parked: list[Need] = []  # questions nobody answered yet
        self.seen = 0  # of what the engine sent
        self.offered: list[tuple[Request, Flow]] = []  # requests the engine sent
        self.heard: list[tuple[Response, Flow]] = []  # responses the engine sent
        self.copies: set[tuple[bytes, Flow]] = set()  # of those, to know a retransmission
        self.serial = 0

    @invariant()
    def nobody_has_more_than_allowed(self) -> None:
        """No limit and no throttle is ever exceeded."""
        for key, most in getattr(self, "most_up", {}).items():
            assert self.usage.up(key) <= most, key

    # --- those who call

    @rule(
        number=st.sampled_from((OWNED, FORGED)),
        source=st.sampled_from((ACME_PBX, CARRIER_A)),
        tcp=st.booleans(),
        method=st.sampled_from(("INVITE", "INVITE", "INVITE", "OPTIONS", "MESSAGE")),
        uri=st.sampled_from((None, None, f"sip:911@{PROXY[0]}")),
    )
    def call(self, number: str, source: tuple[str, int], tcp: bool, method: str, uri: str | None) -> None:
        """A request outside of any dialog."""
        self.serial += 1
        called = {"called": OWNED, "calling": "12125550123"} if source == CARRIER_A else {"calling": number}
        request = invite(
            **called,
            source=source,
            method=method,
            uri=uri,
            call_id=f"c{self.serial}@sample",
            transport="TCP" if tcp else "UDP",
        )
        self.say(request, Flow(1, "tcp", *source, 3) if tcp else Flow(0, "udp", *source))

    @rule(tag=st.sampled_from(TAGS), code=st.sampled_from((180, 200)), source=st.sampled_from((ACME_PBX, CARRIER_A)))
    def usual_call(self, tag: str, code: int, source: tuple[str, int]) -> None:
        """A call as most are: it rings or is answered at once. What comes then is for the others to spoil."""
        offers = len(self.offered)
        self.call(OWNED, source, False, "INVITE", None)
        if len(self.offered) > offers:
            self.answer(0, code, tag, False)

    @precondition(lambda self: self.said)
    @rule(which=ANY)
    def repeat(self, which: int) -> None:
        """A datagram comes again, T4 old at most (RFC 3261 §17.1.2.2): a retransmission, a duplicate, a straggler."""
        fresh = [
            (request, flow) for request, flow, when in self.said if self.chaos.now - when <= T4 and not flow.reliable
        ]
        if fresh:
            request, flow = pick(fresh, which)
            self.arrives(request.encode(), flow)

    @precondition(lambda self: self.said)
    @rule(which=ANY, method=st.sampled_from(("CANCEL", "ACK")))
    def same_branch(self, which: int, method: str) -> None:
        """A CANCEL, or the ACK of a refusal, for any INVITE at any time."""
        chosen = [said for said in self.said if said[0].method == "INVITE"]
        if not chosen:
            return
        request, flow, _ = pick(chosen, which)
        if method == "CANCEL" and any(
            said.method == "CANCEL" and said.via.branch == request.via.branch for said, *_ in self.said
        ):
            return  # by then it might be another transaction
        to = request.required("to") + ("" if request.to.tag or method == "CANCEL" else ";tag=x")
        self.say(rewritten(request, method, request.uri, to=to), flow)

    @precondition(lambda self: self.heard)
    @rule(which=ANY, method=st.sampled_from(INSIDE))
    def inside(self, which: int, method: str) -> None:
        """The caller says something in the dialog some response opened."""
        response, flow = pick([heard for heard in self.heard if heard[0].has("contact")] or self.heard, which)
        uri = contact_of(response) if response.has("contact") else f"sip:{PROXY[0]}"
        sent = next((said for said, *_ in self.said if said.call_id == response.call_id), None)
        if sent is not None:
            request = rewritten(
                sent, method, uri, to=response.required("to"), routes=route_set(response), branch=self.branch()
            )
            self.say(request, flow)

    # --- those who are called

    @precondition(lambda self: self.offered)
    @rule(which=ANY, code=st.sampled_from(CODES), tag=st.sampled_from(TAGS), more=st.booleans())
    def answer(self, which: int, code: int, tag: str, more: bool) -> None:
        """A target answers something it was sent, for the first time or not."""
        request, flow = pick(self.offered, which)
        rows = [f"Via: {via}" for via in request.values("via")]
        rows += [f"Record-Route: {route}" for route in request.values("record-route")]
        to = request.required("to") + ("" if request.to.tag else f";tag={tag}")
        rows += [f"From: {request.required('from')}", f"To: {to}", f"Call-ID: {request.call_id}"]
        rows += [f"CSeq: {request.required('cseq')}", f"Contact: <sip:{flow.host}:{flow.port}>"]
        rows += ["Retry-After: 5", "RSeq: 1", "Require: 100rel"] if more else []
        self.arrives("\r\n".join((f"SIP/2.0 {code} Said", *rows, "Content-Length: 0", "", "")).encode("latin-1"), flow)

    @precondition(lambda self: self.offered)
    @rule(which=ANY, method=st.sampled_from(INSIDE), tag=st.sampled_from(TAGS))
    def called_party_speaks(self, which: int, method: str, tag: str) -> None:
        """The called party says something in the dialog, whether or not it ever answered."""
        request, flow = pick([offer for offer in self.offered if offer[0].has("contact")] or self.offered, which)
        if not request.has("contact"):
            return
        own = request.required("to") + ("" if request.to.tag else f";tag={tag}")
        self.say(
            rewritten(
                request, method, contact_of(request), from_=own, to=request.required("from"),
                routes=request.listed("record-route"), branch=self.branch(), via=flow,
            ),
            flow,
        )  # fmt: skip

    # --- the world

    @precondition(lambda self: self.parked)
    @rule(which=ANY, met=st.booleans(), again=st.booleans())
    def decide(self, which: int, met: bool, again: bool) -> None:
        """A question of the engine's is answered, well or not, once or again and again."""
        need = pick(self.parked, which)
        if not again:
            self.parked.remove(need)
        servers = (Server("udp", *CARRIER_A), Server("udp", *CARRIER_A_SPARE)) if met else ()
        answer = TargetAnswer(servers) if isinstance(need, TargetNeed) else Answer(met, "why")
        self.take(self.chaos.engine.complete(need, answer, self.chaos.now, WALL + self.chaos.now))

    @rule(seconds=st.sampled_from(WAITS))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.chaos.wait(seconds)
        self.take([])

    @precondition(lambda self: self.chaos.sent)
    @rule(which=ANY)
    def lose(self, which: int) -> None:
        """A connection is lost, or a datagram comes back as undeliverable."""
        flow = pick(self.chaos.sent, which).flow
        self.take(self.chaos.engine.lost(flow, self.chaos.now, WALL + self.chaos.now))

    # --- inside

    def branch(self) -> str:
        self.serial += 1
        return f"z9hG4bKd{self.serial}"

    def say(self, request: Request, flow: Flow) -> None:
        self.said.append((request, flow, self.chaos.now))
        self.arrives(request.encode(), flow)

    def arrives(self, data: bytes, flow: Flow) -> None:
        self.take(self.chaos.engine.receive(data, flow, self.chaos.now, WALL + self.chaos.now))

    def take(self, outputs: list[Any]) -> None:
        """Keep what the engine sent and asked."""
        before = len(self.chaos.asked)
        self.chaos.apply(outputs)
        for need in self.chaos.asked[before:]:
            if self.durable and isinstance(need, CommitNeed):
                self.take(self.chaos.engine.complete(need, Answer(True), self.chaos.now, WALL + self.chaos.now))
            else:
                self.parked.append(need)
        for send in self.chaos.sent[self.seen :]:
            self.sort(send)
        self.seen = len(self.chaos.sent)

    def sort(self, send: Send) -> None:
        message = parse(send.data)
        if isinstance(message, Response):
            self.heard.append((message, send.flow))
        elif message.method != "ACK" and (message.encode(), send.flow) not in self.copies:
            self.copies.add((message.encode(), send.flow))
            self.offered.append((message, send.flow))

    def teardown(self) -> None:
        """A long silence; then nothing is open, every request has one outcome, every record that was opened an end."""
        if not hasattr(self, "chaos"):
            return
        self.chaos.settle()
        self.take([])
        outcomes: dict[tuple[str, str, str], set[int]] = {}
        for response, flow in self.heard:
            key = (flow.host, response.via.branch or "", response.cseq.method)
            outcomes.setdefault(key, set())
            if response.code >= 200:
                outcomes[key].add(response.code)
        for request, flow, _ in self.said:
            if request.method != "ACK":
                self.judge(request, outcomes.pop((flow.host, request.via.branch or "", request.method), set()))
        assert outcomes == {}  # nobody is answered who did not ask
        self.balance()

    def judge(self, request: Request, finals: set[int]) -> None:
        """One final response; 2xx to an INVITE any number; silence is allowed to what is no INVITE (RFC 4320)."""
        successes = {code for code in finals if code < 300}
        assert len(finals) <= 1 or (request.method == "INVITE" and successes == finals), (request.start_line, finals)
        assert finals or request.method != "INVITE", request.start_line
        assert 408 not in finals or request.method == "INVITE"

    def balance(self) -> None:
        """Every call that left was opened once and closed once."""
        left = {token(request) for request, _ in self.offered if request.method == "INVITE" and not request.to.tag}
        ends = [record["id"] for record in self.chaos.records if record["event"] == "end"]
        answers = [record["id"] for record in self.chaos.records if record["event"] == "answer"]
        assert len(ends) == len(set(ends))
        assert len(answers) == len(set(answers))
        assert set(answers) <= left <= set(ends)
        assert self.usage._counts == {}  # whatever became of the calls, no place is held


def pick(choices: list[Any], which: int) -> Any:
    """One of them; 0 is the newest."""
    return choices[-1 - which % len(choices)]


def token(request: Request) -> str:
    """The identifier of the record, which our Record-Route carries."""
    return request.listed("record-route")[0].partition("dialog=")[2].partition("~")[0]


def rewritten(
    request: Request,
    method: str,
    uri: str,
    *,
    to: str,
    from_: str | None = None,
    routes: list[str] | None = None,
    branch: str | None = None,
    via: Flow | None = None,
) -> Request:
    """Another request with the Call-ID of this one; without a branch of its own it belongs to the same transaction."""
    top = request.values("via")[0] if via is None else f"SIP/2.0/{via.transport.upper()} {via.host}:{via.port};branch=x"
    if branch is not None:
        top = f"{top.partition(';branch=')[0]};branch={branch};rport"
    rows = [
        f"Via: {top}",
        *(f"Route: {route}" for route in routes or ()),
        f"From: {request.required('from') if from_ is None else from_}",
        f"To: {to}",
        f"Call-ID: {request.call_id}",
        f"CSeq: {request.cseq.number + (branch is not None and method != 'ACK')} {method}",
        "Max-Forwards: 70",
        f"Contact: <sip:{ACME_PBX[0]}:5060>",
        "Content-Length: 0",
    ]
    made = parse("\r\n".join((f"{method} {uri} SIP/2.0", *rows, "", "")).encode("latin-1"))
    assert isinstance(made, Request)
    return made


TestCalls = pytest.mark.clause("TXN-31", "TXN-34", "FRK-01", "PRX-24")(Calls.TestCase)
TestCalls.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
