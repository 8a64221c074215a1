"""``policy.suspended_calls``: what becomes of calls that are up when their account is suspended."""

from dataclasses import replace

import pytest

from sipguard.policy.account import Account, AccountState
from sipguard.policy.directory import Directory
from sipguard.policy.rules import Mode
from sipguard.policy.settings import PolicySettings
from sipguard.sip.message import Request
from sipguard.testing.sample import ACME_PBX, CARRIER_A, OWNED, VERIFIED, changed, directory, invite
from sipguard.testing.user_agent import UserAgent
from tests.flows.carrier import WITH_PASSWORD, with_carrier
from tests.flows.stage import Stage, ringing

ENDS = PolicySettings(end_suspended=True)


def suspend(stage: Stage, state: AccountState = AccountState.SUSPENDED, seconds: float = 0.5) -> None:
    """The operator puts acme into a state while calls are up."""
    policy = stage.policy
    stage.engine.reconfigure(replace(stage.sample.view, directory=in_state(state), policy=policy))
    stage.network.run(seconds)


def in_state(state: AccountState) -> Directory:
    """The sample directory, with acme in this state."""
    return directory(state=state)


def byes(agent: UserAgent) -> list[Request]:
    """The BYE requests an agent got."""
    return [request for request in agent.requests if request.method == "BYE"]


def test_calls_of_a_suspended_end_user_end() -> None:
    """Those that show its number, over the account's trunk; its other calls go on. A restart is no way out."""
    sales = Account("acme/sales", path=("acme", "acme/sales"))
    accounts = [*directory().accounts.values(), sales]
    stage = Stage(directory=with_accounts(accounts), policy=ENDS)
    stage.call(call_id="sales@sample", calling=OWNED)
    stage.call(call_id="other@sample", calling=VERIFIED)
    stage.restart()
    accounts[-1] = replace(sales, state=AccountState.SUSPENDED)
    stage.engine.reconfigure(replace(stage.sample.view, directory=with_accounts(accounts)))
    stage.network.run(0.5)
    assert [bye.call_id for bye in byes(stage.carrier)] == ["sales@sample"]
    assert stage.record("end")["reason"] == "Account Suspended"
    assert stage.engine.active_calls == 1


def with_accounts(accounts: list[Account]) -> Directory:
    """The sample directory with other accounts."""
    known = directory()
    return Directory(accounts=accounts, trunks=known.trunks.values(), numbers=known.numbers)


@pytest.mark.parametrize("state", [AccountState.SUSPENDED, AccountState.TERMINATED])
def test_both_sides_get_a_bye(state: AccountState) -> None:
    """Each from the other party, in its dialog: tags, target, a CSeq above all that went before; then the record."""
    stage = Stage(policy=ENDS)
    stage.call(seconds=10.0)
    answer = stage.pbx.responses[-1]
    invite = stage.carrier.requests[0]
    suspend(stage, state)
    [to_carrier], [to_pbx] = byes(stage.carrier), byes(stage.pbx)
    assert to_carrier.uri == "sip:192.0.2.21:5060"
    assert (to_carrier.from_.tag, to_carrier.to.tag) == (invite.from_.tag, answer.to.tag)
    assert (to_carrier.from_.uri, to_carrier.call_id) == (invite.from_.uri, invite.call_id)
    assert to_carrier.cseq.number == 2
    assert to_pbx.uri == "sip:192.0.2.11:5060"
    assert (to_pbx.from_.tag, to_pbx.to.tag) == (answer.to.tag, answer.from_.tag)
    assert (to_pbx.from_.uri, to_pbx.to.uri) == (answer.to.uri, answer.from_.uri)
    assert to_pbx.value("reason") == f'SIP;cause=403;text="Account {state.value.capitalize()}"'
    assert not to_carrier.has("reason")
    assert not to_pbx.has("route")
    end = stage.record("end")
    assert (end["released_by"], end["reason"]) == ("policy", f"Account {state.value.capitalize()}")
    assert 9.0 < end["duration"] < 10.0
    assert stage.engine.active_calls == 0
    stage.settle()
    assert stage.events == ["decision", "answer", "end"]


@pytest.mark.parametrize(
    ("policy", "state"),
    [
        (PolicySettings(), AccountState.SUSPENDED),
        (ENDS, AccountState.RESTRICTED),
        (ENDS, AccountState.WARNED),
        (replace(ENDS, modes={"account.suspended": Mode.REPORT}), AccountState.SUSPENDED),
    ],
)
def test_calls_that_go_on(policy: PolicySettings, state: AccountState) -> None:
    """By default; in milder states; and where the rule would not refuse a new call either."""
    stage = Stage(policy=policy)
    stage.call()
    suspend(stage, state)
    assert (byes(stage.carrier), byes(stage.pbx), stage.engine.active_calls) == ([], [], 1)
    stage.hang_up()
    assert stage.record("end")["released_by"] == "caller"


def test_an_emergency_call_is_never_ended() -> None:
    """Whatever the operator does to the account."""
    stage = Stage(policy=ENDS)
    stage.call(uri="sip:911@192.0.2.1", called="911")
    assert "answer" in stage.events
    suspend(stage, AccountState.TERMINATED)
    assert (byes(stage.rescue), byes(stage.pbx), stage.engine.active_calls) == ([], [], 1)


def test_a_call_to_the_account_goes_on() -> None:
    """Suspended is who calls, not who is called."""
    stage = Stage(policy=ENDS)
    stage.arrives(called=VERIFIED)
    suspend(stage)
    assert (byes(stage.carrier), byes(stage.pbx)) == ([], [])


def test_a_call_that_rings_ends_soon_after_its_answer() -> None:
    """It was let through before; once it is up it is a call of a suspended account."""
    stage = Stage(policy=ENDS, scripts={"carrier-a": ringing()})
    stage.carrier.script = replace(stage.carrier.script, answer_after=5.0)
    stage.call(seconds=2.0)
    suspend(stage, seconds=1.0)
    assert byes(stage.carrier) == []
    stage.network.run(5.0)
    assert (len(byes(stage.carrier)), len(byes(stage.pbx))) == (1, 1)
    assert len(stage.carrier.acks) >= 1
    assert stage.record("end")["released_by"] == "policy"
    stage.settle()


def test_a_party_that_moved_is_found() -> None:
    """BYE goes to the Contact of the last re-INVITE, with a number above that of every request since."""
    stage = Stage(policy=ENDS)
    stage.call()
    moved = stage.pbx.in_dialog("UPDATE")
    moved.set("contact", "<sip:moved@192.0.2.11:5060>")
    stage.pbx.start(moved)
    stage.network.run(1.0)
    stage.carrier.contact = "<sip:away@192.0.2.21:5060>"
    stage.pbx.start(stage.pbx.in_dialog("UPDATE"))
    stage.network.run(1.0)
    suspend(stage)
    assert byes(stage.pbx)[0].uri == "sip:192.0.2.11:5060"
    assert byes(stage.carrier)[0].uri == "sip:away@192.0.2.21:5060"
    highest = max(request.cseq.number for request in stage.carrier.requests if request.method == "UPDATE")
    assert byes(stage.carrier)[0].cseq.number == highest + 1


def test_a_proxy_in_front_of_the_caller_is_on_the_way() -> None:
    """What is left of the route set from us on is kept to, towards either side."""
    stage = Stage(policy=ENDS)
    front = UserAgent(stage.network, ("192.0.2.99", 5060), ("192.0.2.1", 5060), name="front")
    stage.call(headers=("Record-Route: <sip:192.0.2.99:5060;lr>",))
    suspend(stage)
    [bye] = byes(front)
    assert bye.listed("route") == ["<sip:192.0.2.99:5060;lr>"]
    assert bye.uri == "sip:192.0.2.11:5060"
    assert byes(stage.carrier)[0].uri == "sip:192.0.2.21:5060"
    assert not byes(stage.carrier)[0].has("route")


def test_a_caller_behind_nat_gets_its_bye_on_its_flow() -> None:
    """Its Contact leads nowhere; what its dialog's requests take, the BYE takes."""
    trunks = changed("acme-pbx", behind_nat=True)
    stage = Stage(policy=ENDS, trunks=trunks)
    request = invite()
    request.set("contact", "<sip:pbx@10.0.0.5:5060>")
    stage.pbx.start(request)
    stage.network.run(2.0)
    suspended = directory(trunks, AccountState.SUSPENDED)
    stage.engine.reconfigure(replace(stage.sample.view, directory=suspended))
    stage.network.run(1.0)
    assert [bye.uri for bye in byes(stage.pbx)] == ["sip:pbx@10.0.0.5:5060"]
    assert len(byes(stage.carrier)) == 1


def test_an_update_that_cannot_be_read_changes_nothing() -> None:
    """It passes as it would otherwise, and the BYE goes where the party was."""
    stage = Stage(policy=ENDS)
    stage.call()
    update = stage.pbx.in_dialog("UPDATE")
    update.set("contact", "<sip:broken")
    stage.pbx.start(update)
    stage.network.run(1.0)
    assert len(stage.requests_to(CARRIER_A, "UPDATE")) == 1
    suspend(stage)
    assert [bye.uri for bye in byes(stage.pbx)] == ["sip:192.0.2.11:5060"]


def test_a_carrier_that_asks_for_credentials_gets_them() -> None:
    """Its numbers and its challenge are minded as for a BYE of the caller's."""
    stage, carrier = with_carrier()
    view = replace(stage.sample.view, policy=ENDS)
    stage.engine.reconfigure(view)
    stage.call()
    stage.engine.reconfigure(replace(view, directory=directory(WITH_PASSWORD, AccountState.SUSPENDED)))
    stage.network.run(2.0)
    assert [request.method for request in carrier.challenged] == ["INVITE", "BYE"]
    [bye] = byes(carrier)
    assert carrier.is_proved(bye) is False  # it was, and its nonce was good once
    assert bye.has("proxy-authorization")
    assert carrier.complaints == []
    assert len(byes(stage.pbx)) == 1
    stage.settle()


def test_nobody_answers_the_bye() -> None:
    """A party that is gone costs a transaction's time and nothing else."""
    stage = Stage(policy=ENDS)
    stage.call()
    stage.network.detach(ACME_PBX)
    stage.network.detach(CARRIER_A)
    suspend(stage)
    assert stage.record("end")["released_by"] == "policy"
    stage.settle()


def test_many_calls_end_some_at_a_time() -> None:
    """A big account's calls do not hold up everybody's messages."""
    stage = Stage(policy=ENDS)
    for number in range(120):
        stage.call(seconds=0.01, call_id=f"call-{number}@sample")
    stage.network.run(2.0)
    assert stage.engine.active_calls == 120
    suspend(stage, seconds=0.05)
    assert stage.engine.active_calls == 70
    stage.network.run(1.0)
    assert stage.engine.active_calls == 0
    assert (len(byes(stage.carrier)), len(byes(stage.pbx))) == (120, 120)
    stage.settle()


def test_a_call_from_before_the_setting_is_left_alone() -> None:
    """What it takes to end a call is kept from its beginning, or not at all."""
    stage = Stage()
    stage.call()
    stage.policy = ENDS
    suspend(stage)
    assert stage.engine.active_calls == 1


def test_an_activation_in_time_spares_the_call() -> None:
    """What was due and is allowed again when its turn comes goes on."""
    stage = Stage(policy=ENDS)
    stage.call()
    stage.engine.reconfigure(replace(stage.sample.view, directory=in_state(AccountState.SUSPENDED)))
    stage.engine.reconfigure(replace(stage.sample.view, directory=in_state(AccountState.ACTIVE)))
    stage.network.run(1.0)
    assert stage.engine.active_calls == 1


@pytest.mark.clause("RFC 3261 8.1.1.5")
def test_a_customer_that_has_used_the_last_number() -> None:
    """An UPDATE with the highest CSeq there is: BYE has a number that the carrier may read."""
    stage = Stage(policy=ENDS)
    stage.call()
    update = stage.pbx.in_dialog("UPDATE")
    update.set("cseq", f"{2**31 - 1} UPDATE")
    stage.pbx.start(update)
    stage.network.run(1)
    assert stage.pbx.codes[-1] == 200
    suspend(stage)
    assert byes(stage.carrier)[-1].cseq.number == 2**31 - 1
