"""What the state of an account does to its calls, from the wire to the record."""

from dataclasses import replace

import pytest

from sipguard.policy.account import AccountState
from sipguard.testing.sample import ACME_PBX, CARRIER_A, CARRIER_B, directory
from tests.flows.stage import Stage

ACTIVE, WARNED, RESTRICTED, SUSPENDED, TERMINATED = AccountState


def test_a_warning_is_a_mark_in_the_record() -> None:
    """A warned account calls as any other, by the same route with the same attestation; the record says warned."""
    records = []
    for state in (ACTIVE, WARNED):
        stage = Stage(directory=directory(state=state))
        stage.call()
        assert len(stage.requests_to(CARRIER_A, "INVITE")) == 1
        records.append(stage.record("decision"))
    active, warned = records
    assert "account_state" not in active
    assert warned.pop("account_state") == "warned"
    for name in ("decision", "attest", "origid", "traffic_class", "routes", "trail"):
        assert warned[name] == active[name]


def test_a_restricted_account_is_segregated_and_capped() -> None:
    """Its own number gets B, the call leaves by the dialer trunk, and the record says why."""
    stage = Stage(directory=directory(state=RESTRICTED))
    stage.call()
    assert stage.requests_to(CARRIER_A, "INVITE") == []
    assert len(stage.requests_to(CARRIER_B, "INVITE")) == 1
    record = stage.record("decision")
    assert (record["attest"], record["traffic_class"]) == ("B", "dialer")
    assert (record["tags"], record["account_state"]) == (["account-restricted"], "restricted")


@pytest.mark.parametrize(
    ("state", "rule", "phrase"),
    [
        (SUSPENDED, "account.suspended", b"403 Account Suspended"),
        (TERMINATED, "account.terminated", b"403 Account Terminated"),
    ],
)
def test_a_suspended_or_terminated_account_calls_nobody(state: AccountState, rule: str, phrase: bytes) -> None:
    """403 with the reason, and a record with rule and state."""
    stage = Stage(directory=directory(state=state))
    stage.call()
    assert any(phrase in data for data in stage.octets_to(ACME_PBX))
    record = stage.record("decision")
    assert (record["decision"], record["rule"], record["account_state"]) == ("refuse", rule, state.value)


def test_a_suspension_counts_from_the_next_call_on() -> None:
    """The call that is up goes on and ends as its parties say; the next one is refused."""
    stage = Stage()
    stage.call()
    stage.engine.reconfigure(replace(stage.sample.view, directory=directory(state=SUSPENDED)))
    stage.call(call_id="call-2@sample")
    assert stage.events == ["decision", "answer", "decision"]
    stage.hang_up()
    assert stage.record("end")["released_by"] == "caller"
    stage.settle()
