"""Datagrams that are lost, doubled and held back: every call ends, and nothing of it stays."""

from collections import Counter
from dataclasses import dataclass

import pytest

from sipguard.sip.message import Request, Response
from sipguard.testing.sample import ACME_PBX, OWNED, PROXY, VERIFIED, changed, invite
from sipguard.testing.user_agent import Script, UserAgent, contact_of, route_set
from sipguard.transaction.client import ClientTransaction
from sipguard.transaction.server import ServerTransaction
from tests.flows.stage import Stage

CALLS = 200


@dataclass
class HangUp:
    """A caller's BYE that is due."""

    switchboard: "Switchboard"
    answer: Response

    def fire(self, _kind: int, now: float) -> None:
        """Say BYE."""
        self.switchboard.hang_up(self.answer)


class Switchboard(UserAgent):
    """A caller that makes many calls at once and hangs up each dialog two seconds after its answer."""

    def __post_init__(self) -> None:
        """Nothing has happened yet."""
        super().__post_init__()
        self.invites: dict[str, Request] = {}
        self.answered: set[tuple[str, str | None]] = set()

    def start(self, request: Request) -> ClientTransaction:
        """Remember each INVITE."""
        if request.method == "INVITE":
            self.invites[request.call_id] = request
        return super().start(request)

    def response(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        """Hang up some time after the first 2xx of a dialog."""
        super().response(transaction, response, now)
        dialog = response.call_id, response.to.tag
        if response.cseq.method == "INVITE" and 200 <= response.code < 300 and dialog not in self.answered:
            self.answered.add(dialog)
            self.timers.start(now + 2.0, HangUp(self, response), 0)

    def hang_up(self, answer: Response) -> None:
        """Say BYE in the dialog of this answer."""
        invite = self.invites[answer.call_id]
        self.start(self._build("BYE", invite, answer, route_set(answer), contact_of(answer)))


class Varied(UserAgent):
    """A callee that answers, refuses or only rings, by the number of the call."""

    def request(self, transaction: ServerTransaction, now: float) -> None:
        """Every fifth call is busy, every other fifth says 503."""
        number = int(transaction.request.call_id.partition("-")[2].partition("@")[0])
        code = {0: 486, 1: 503}.get(number % 5, 200)
        self.script = Script(ring_after=0.1, answer_after=0.4, code=code)
        super().request(transaction, now)


@pytest.mark.clause("TXN-34", "TXN-31", "RFC 3261 17")
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_two_hundred_calls_on_a_bad_line(seed: int) -> None:
    """Loss 10 %, duplication 10 %, reordering 20 %: each INVITE is decided once, every forwarded call is closed."""
    stage = Stage(accidents={"seed": seed, "loss": 0.1, "duplication": 0.1, "reordering": 0.2})
    network = stage.network
    caller = Switchboard(network, ACME_PBX, PROXY, name="acme-pbx")
    for endpoint, name in ((stage.carrier.endpoint, "carrier-a"), (stage.spare.endpoint, "carrier-a-spare")):
        Varied(network, endpoint, PROXY, name=name)
    for number in range(CALLS):
        calling = OWNED if number % 3 else VERIFIED
        caller.start(invite(call_id=f"loss-{number}@sample", calling=calling if number % 7 else "14155559999"))
        network.run(0.05)
    network.run(60)
    stage.settle()
    decisions = [record for record in network.records if record["event"] == "decision"]
    assert Counter(record["call_id"] for record in decisions) == {f"loss-{number}@sample": 1 for number in range(CALLS)}
    forwarded = {record["id"] for record in decisions if record["decision"] == "forward"}
    ends = Counter(record["id"] for record in network.records if record["event"] == "end")
    assert ends == dict.fromkeys(forwarded, 1)
    assert stage.engine.active_calls == 0


@pytest.mark.clause("TXN-34", "FRK-01", "FRK-02", "FRK-08")
@pytest.mark.parametrize("seed", [5, 6, 7])
def test_targets_given_up_on_a_bad_line(seed: int) -> None:
    """Targets are given up just when they answer: branches overlap, some calls are answered twice, all are closed."""
    trunks = changed("carrier-a", response_timeout=0.1, ring_timeout=0.42)
    stage = Stage(trunks=trunks, accidents={"seed": seed, "loss": 0.1, "duplication": 0.1, "reordering": 0.3})
    network = stage.network
    caller = Switchboard(network, ACME_PBX, PROXY, name="acme-pbx")
    for endpoint, name in ((stage.carrier.endpoint, "carrier-a"), (stage.spare.endpoint, "carrier-a-spare")):
        Varied(network, endpoint, PROXY, name=name)
    for number in range(CALLS):
        caller.start(invite(call_id=f"loss-{number}@sample"))
        network.run(0.05)
    network.run(60)
    stage.settle()
    answers = Counter(call_id for call_id, _ in caller.answered)
    assert max(answers.values()) == 2
    assert len(answers) > CALLS / 4
    assert stage.requests_to(stage.carrier.endpoint, "CANCEL") != []
    forwarded = {record["id"] for record in network.records if record["event"] == "decision"}
    ends = Counter(record["id"] for record in network.records if record["event"] == "end")
    assert ends == dict.fromkeys(forwarded, 1)
    assert stage.engine.active_calls == 0


@pytest.mark.clause("TXN-34", "TXN-26")
def test_calls_given_up_on_a_bad_line() -> None:
    """Fifty callers that all cancel while it rings: nothing stays open, and every record is closed."""
    stage = Stage(
        scripts={"carrier-a": Script(answer_after=None), "carrier-a-spare": Script(answer_after=None)},
        accidents={"seed": 4, "loss": 0.1, "duplication": 0.1, "reordering": 0.2},
    )
    for number in range(50):
        transaction = stage.pbx.start(invite(call_id=f"gone-{number}@sample"))
        stage.network.run(0.3)
        stage.pbx.layer.cancel(transaction, stage.network.now)
    stage.network.run(400)
    stage.settle()
    forwarded = {record["id"] for record in stage.network.records if record["event"] == "decision"}
    ended = Counter(record["id"] for record in stage.network.records if record["event"] == "end")
    assert ended == dict.fromkeys(forwarded, 1)
    assert stage.engine.active_calls == 0
