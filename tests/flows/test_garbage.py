"""What a call leaves behind in memory: nothing."""

import gc
from dataclasses import replace

import pytest

from bench.engine import Load
from sipguard.policy.account import AccountState
from sipguard.policy.settings import PolicySettings
from sipguard.proxy.active_calls import ActiveCall
from sipguard.proxy.branch import Branch
from sipguard.proxy.carrier_leg import CarrierLeg
from sipguard.proxy.carrier_sessions import Session
from sipguard.proxy.dialog import Dialog, Leg
from sipguard.proxy.own_request import OwnRequest
from sipguard.proxy.response_context import ResponseContext
from sipguard.proxy.resubmission import Resubmission
from sipguard.sip.message import Request
from sipguard.testing.sample import ACME_PBX, Sample, directory
from tests.flows.carrier import PASSWORD, with_carrier
from tests.flows.stage import LONG, Stage


@pytest.mark.clause("TXN-34")
def test_a_call_leaves_nothing_for_the_garbage_collector():
    """Calls are freed by reference counting alone, so that collections may be rare (runtime/service.py)."""
    load = Load(Sample().engine)
    load.one(0)
    load.pass_time(100)
    gc.collect()
    gc.disable()
    try:
        for number in range(1, 20):
            load.one(number)
        load.pass_time(100)
        assert gc.collect() == 0
    finally:
        gc.enable()
    assert load.engine.open_transactions == 0


def requests_alive() -> int:
    """How many requests are in memory."""
    return sum(type(thing) is Request for thing in gc.get_objects())


@pytest.mark.clause("TXN-34")
def test_transactions_that_only_absorb_keep_no_request() -> None:
    """A call that is over has transactions for half a minute more, and none of its messages among them."""
    load = Load(Sample().engine)
    load.one(0)
    before = requests_alive()
    for number in range(1, 20):
        load.one(number)
    assert load.engine.open_transactions >= 60
    assert requests_alive() == before


def test_a_call_that_policy_ended_leaves_nothing_either() -> None:
    """Whether its parties answer the BYE or are gone."""
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        for present in (True, False):
            stage = Stage(policy=PolicySettings(end_suspended=True))
            stage.call()
            if not present:
                stage.network.detach(ACME_PBX)
            suspended = directory(state=AccountState.SUSPENDED)
            stage.engine.reconfigure(replace(stage.sample.view, directory=suspended))
            stage.network.run(LONG)
            assert stage.record("end")["released_by"] == "policy"
            gc.collect()
        left = {type(item) for item in gc.garbage}
        assert left.isdisjoint((ResponseContext, Branch, ActiveCall, Dialog, Leg, OwnRequest))
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


@pytest.mark.clause("TXN-34", "RFC 3261 22.3")
def test_a_call_that_was_challenged_leaves_nothing_either() -> None:
    """Neither by a carrier, on the way out and inside the dialog, nor when its credentials are refused."""
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        for password in (PASSWORD, "wrong"):
            stage, _ = with_carrier(password=password)
            stage.call()
            if password == PASSWORD:
                stage.hang_up()
            stage.network.run(LONG)
            gc.collect()
        left = {type(item) for item in gc.garbage}
        assert left.isdisjoint((ResponseContext, Branch, ActiveCall, Resubmission, CarrierLeg, Session))
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
