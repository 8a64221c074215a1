"""Whatever happens, every transaction ends: random messages, duplicates, failures and passing time."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sipguard.transaction.client import ClientTransaction
from sipguard.transaction.server import ServerTransaction
from sipguard.transaction.states import ClientState, ServerState
from tests.transaction.stage import CALLER, CALLER_TCP, CARRIER, CARRIER_TCP, Stage, request

SOURCES = (CALLER, CALLER_TCP)
TARGETS = (CARRIER, CARRIER_TCP)
BRANCHES = ("z9hG4bK-1", "z9hG4bK-2", None)
CODES = (100, 180, 199, 200, 202, 302, 408, 486, 503, 603)

few = st.integers(0, 3)
steps = st.lists(
    st.one_of(
        st.tuples(
            st.just("receive"),
            st.sampled_from(("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS")),
            st.sampled_from(BRANCHES),
            st.sampled_from(SOURCES),
        ),
        st.tuples(st.just("answer"), few, st.sampled_from(CODES)),
        st.tuples(st.just("start"), st.sampled_from(("INVITE", "BYE")), st.sampled_from(TARGETS)),
        st.tuples(st.just("reply"), few, st.sampled_from(CODES)),
        st.tuples(st.just("cancel"), few),
        st.tuples(st.just("lost"), st.sampled_from(SOURCES + TARGETS)),
        st.tuples(st.just("wait"), st.sampled_from((0.0, 0.125, 0.5, 3.5, 5.0, 31.0))),
    ),
    max_size=40,
)


class Crowd(Stage):
    """A stage that remembers its transactions and can be told to do anything, sensible or not."""

    def __init__(self) -> None:
        super().__init__()
        self.servers: list[ServerTransaction] = []
        self.clients: list[ClientTransaction] = []

    def request(self, transaction: ServerTransaction, now: float) -> None:
        super().request(transaction, now)
        self.servers.append(transaction)

    def cancel(self, transaction: ServerTransaction, invite: ServerTransaction | None, now: float) -> None:
        super().cancel(transaction, invite, now)
        self.servers.append(transaction)

    def step(self, what: str, *arguments: Any) -> None:
        if what == "receive":
            method, branch, flow = arguments
            self.receive(request(method, branch=branch, to_tag="us" if method == "ACK" else None), flow)
        elif what == "start":
            method, flow = arguments
            self.clients.append(self.start(request(method, branch=f"z9hG4bK-ours-{len(self.clients)}"), flow))
        elif what == "lost":
            self.layer.lost(arguments[0], self.now)
        elif what == "wait":
            self.until(self.now + arguments[0])
        elif what == "answer" and self.servers:
            self.answer(self.servers[-1 - arguments[0] % len(self.servers)], arguments[1])
        elif what == "reply" and self.clients:
            self.reply(self.clients[-1 - arguments[0] % len(self.clients)], arguments[1])
        elif what == "cancel" and self.clients:
            self.layer.cancel(self.clients[-1 - arguments[0] % len(self.clients)], self.now)


@given(steps)
@settings(max_examples=150, deadline=None)
def test_every_transaction_ends_and_no_timer_stays(plan: list[tuple[Any, ...]]) -> None:
    """Once the user has answered every INVITE and cancelled what only rings, time alone ends everything."""
    stage = Crowd()
    for step in plan:
        stage.step(*step)
    for server in stage.servers:
        if server.method == "INVITE":
            stage.answer(server, 487)
    for client in stage.clients:  # what Timer C does
        stage.layer.cancel(client, stage.now)
    stage.until(stage.now + 1000.0)
    assert stage.layer.open_transactions == 0
    assert len(stage.timers) == 0
    assert {server.state for server in stage.servers} <= {ServerState.TERMINATED}
    assert {client.state for client in stage.clients} <= {ClientState.TERMINATED}
    gone = [told.subject for told in stage.told if told.what == "gone"]
    assert sorted(map(id, gone)) == sorted(map(id, stage.servers))


@given(steps)
@settings(max_examples=100, deadline=None)
def test_the_user_hears_one_outcome_per_request_at_most(plan: list[tuple[Any, ...]]) -> None:
    """Of a failure, a timeout and an unreachable target the user hears one, once; of 2xx to an INVITE any number."""
    stage = Crowd()
    for step in plan:
        stage.step(*step)
    stage.until(stage.now + 1000.0)
    for client in stage.clients:
        outcomes = [told for told in stage.told if told.subject is client]
        finals = [told for told in outcomes if told.what != "response" or told.message.code >= 200]
        successes = [told for told in finals if told.what == "response" and told.message.code < 300]
        assert len(finals) <= 1 or (client.method == "INVITE" and len(successes) == len(finals))
