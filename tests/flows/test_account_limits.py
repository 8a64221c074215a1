"""Limits of accounts and of those above them, of end users and of restricted accounts, over the wire."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from sipguard.policy.account import Account, AccountState
from sipguard.policy.directory import Directory
from sipguard.policy.number_book import NumberBook
from sipguard.policy.right import NumberRight, RightKind
from sipguard.policy.rules import Mode
from sipguard.policy.scope import Scope
from sipguard.policy.settings import PolicySettings
from sipguard.policy.trunk import OnMismatch
from sipguard.testing.sample import CARRIER_B, OWNED, TRUNKS, VERIFIED, directory, invite, target
from sipguard.testing.user_agent import UserAgent
from sipguard.traffic.limit import CallLimit
from tests.flows.stage import Stage, with_settings
from tests.flows.test_call_limits import EMERGENCY, ONE_A_SECOND, TWO_AT_A_TIME, calls, limited, rules

BETA_PBX = ("192.0.2.12", 5060)
BETA = Account("beta", path=("reseller", "beta"))
ACME = Account("acme", path=("reseller", "acme"))
SALES = Account("acme/sales", path=("reseller", "acme", "acme/sales"))
RESTRICTED, SUSPENDED, TERMINATED = AccountState.RESTRICTED, AccountState.SUSPENDED, AccountState.TERMINATED


def tree(*limits: tuple[str, CallLimit], restricted: Iterable[str] = (), states: Any = None) -> Directory:
    """Acme (with an end user of OWNED) and beta below a reseller, with these limits and states in the registry."""
    states = dict(states or {}) | dict.fromkeys(restricted, RESTRICTED)
    accounts = []
    for account in (Account("reseller", path=("reseller",)), ACME, BETA, SALES):
        state = next((states[name] for name in account.path if name in states), AccountState.ACTIVE)
        own = tuple((name, limit) for name, limit in limits if name in account.path)
        accounts.append(replace(account, state=state, limits=own))
    beta = replace(TRUNKS[0], name="beta-pbx", account="beta", sources=(BETA_PBX[0],), targets=(target(BETA_PBX),))
    return Directory(accounts=accounts, trunks=(*TRUNKS, beta), numbers=directory().numbers)


def staged(*limits: tuple[str, CallLimit], policy: PolicySettings | None = None, **more: Any) -> Stage:
    """A stage over that tree. Beta's caller has no number here, so the rules about numbers only report."""
    modes = {"caller-id.not-owned": Mode.REPORT, "account.suspended": Mode.BLOCK}
    policy = policy or PolicySettings()
    return Stage(directory=tree(*limits, **more), policy=replace(policy, modes=modes | dict(policy.modes)))


def of_beta(stage: Stage, number: int, first: int = 0) -> list[int]:
    """So many calls of beta at once, and the final answers."""
    agent: UserAgent = stage.agent(BETA_PBX, "beta-pbx")
    for position in range(first, first + number):
        agent.start(invite(call_id=f"beta-{position}@sample", source=BETA_PBX, calling="14155550300"))
    stage.network.run(2.0)
    return sorted(code for code in agent.codes if code >= 200)


@pytest.mark.parametrize("limit", [CallLimit(rate=0.001, burst=3), CallLimit(concurrent=3)])
def test_a_resellers_limit_counts_the_calls_of_all_its_customers(limit: CallLimit) -> None:
    """Two of one and two of another are one too many, whichever of them it meets."""
    stage = staged(("reseller", limit))
    assert calls(stage, 2) == [200, 200]
    assert of_beta(stage, 2) == [200, 503]
    assert calls(stage, 1, first=2) == [503]
    (refused,) = [response for response in stage.pbx.responses if response.code == 503]
    assert "of account reseller and those below it" in refused.required("warning")


def test_each_level_is_asked() -> None:
    """The account is full before the reseller is, and the reseller before the other account."""
    stage = staged(("reseller", CallLimit(concurrent=3)), ("acme", TWO_AT_A_TIME), ("beta", CallLimit(concurrent=10)))
    assert calls(stage, 3) == [200, 200, 503]
    assert of_beta(stage, 3) == [200, 503, 503]
    assert set(rules(stage)) == {"limit.concurrent"}


def test_what_one_level_refuses_takes_nothing_of_another() -> None:
    """The rate of the reseller is not spent by calls that the account may not make."""
    stage = staged(("reseller", CallLimit(rate=0.001, burst=2)), ("acme", CallLimit(rate=0.001, burst=1)))
    assert calls(stage, 5) == [200, 503, 503, 503, 503]
    assert of_beta(stage, 2) == [200, 503]


def test_everybodys_limit_is_for_each_account_alone() -> None:
    """Calls of one customer, and of those below, take nothing from another's share."""
    stage = staged(policy=limited(account=TWO_AT_A_TIME))
    assert calls(stage, 3) == [200, 200, 503]
    assert of_beta(stage, 3) == [200, 200, 503]


def test_the_registry_wins() -> None:
    """Over the configured limit of the account, wider or narrower."""
    policy = limited(accounts={"acme": TWO_AT_A_TIME})
    assert calls(staged(policy=policy), 4) == [200, 200, 503, 503]
    assert calls(staged(("acme", CallLimit(concurrent=3)), policy=policy), 4) == [200, 200, 200, 503]
    assert calls(staged(("acme", CallLimit()), policy=policy), 4) == [200] * 4


def test_a_lowered_limit_drops_nobody() -> None:
    """What is up goes on; the next call finds no place until enough have ended, also at a level that had no limit."""
    stage = staged()
    assert calls(stage, 3) == [200] * 3
    stage.engine.reconfigure(replace(stage.sample.view, directory=tree(("reseller", TWO_AT_A_TIME))))
    stage.network.run(60.0)
    assert stage.events.count("end") == 0
    assert calls(stage, 1, first=3) == [503]
    assert of_beta(stage, 1) == [503]
    stage.hang_up()
    assert calls(stage, 1, first=4) == [503]
    stage.engine.reconfigure(replace(stage.sample.view, directory=tree(("reseller", CallLimit(concurrent=3)))))
    assert calls(stage, 2, first=5) == [200, 503]


def test_lost_byes_give_every_level_its_places_back() -> None:
    """After the longest a call may last nothing is held anywhere."""
    policy = limited()
    stage = Stage(
        directory=tree(("reseller", TWO_AT_A_TIME)), policy=policy, settings=with_settings(max_call_duration=3600.0)
    )
    assert calls(stage, 3) == [200, 200, 503]
    assert stage.sample.view.usage.up(("tree", "reseller")) == 2
    stage.network.run(3700.0)
    assert stage.sample.view.usage._counts == {}


def test_emergency_calls_pass_every_level() -> None:
    """And take nothing from it."""
    stage = staged(("reseller", CallLimit(rate=0.001, burst=1, concurrent=1)), restricted=["acme"])
    assert calls(stage, 2, **EMERGENCY) == [200, 200]
    assert calls(stage, 2, first=2, calling=VERIFIED) == [200, 503]
    assert calls(stage, 1, first=4, **EMERGENCY) == [200]


# --- restricted


def test_a_restricted_account_has_few_calls() -> None:
    """The cap bites without any further configuration: one call a second, ten at a time."""
    stage = staged(restricted=["acme"])
    assert calls(stage, 3) == [200, 503, 503]
    assert rules(stage) == ["limit.rate"] * 2
    for second in range(12):
        stage.network.run(1.0)
        calls(stage, 1, first=3 + second)
    assert stage.sample.view.usage.up(("tree", "acme")) == 10
    assert rules(stage)[-1] == "limit.concurrent"
    assert len({request.call_id for request in stage.requests_to(CARRIER_B, "INVITE")}) == 10  # and segregated


def test_a_restriction_caps_all_that_is_below_it() -> None:
    """The customers of a restricted reseller share its cap; those of nobody restricted have none."""
    policy = limited(restricted=TWO_AT_A_TIME)
    stage = staged(policy=policy, restricted=["reseller"])
    assert calls(stage, 1) == [200]
    assert of_beta(stage, 2) == [200, 503]
    stage = staged(policy=policy, restricted=["acme"])
    assert calls(stage, 3) == [200, 200, 503]
    assert of_beta(stage, 3) == [200] * 3


# --- end users


def test_the_limit_of_an_end_user_holds_over_the_accounts_trunk() -> None:
    """It counts the calls that show a number of the end user, and no others of the account."""
    for limit in (TWO_AT_A_TIME, ONE_A_SECOND):
        stage = staged(("acme/sales", limit))
        assert calls(stage, 3, calling=OWNED) == [200, 200, 503]
        assert calls(stage, 3, first=3, calling=VERIFIED) == [200] * 3
        (refused,) = [response for response in stage.pbx.responses if response.code == 503]
        assert "account acme/sales" in refused.required("warning")


@pytest.mark.clause("policy: account state")
@pytest.mark.parametrize(("state", "rule"), [(SUSPENDED, "account.suspended"), (TERMINATED, "account.terminated")])
def test_a_suspended_end_user_calls_nobody(state: AccountState, rule: str) -> None:
    """Its numbers are refused over the account's trunk; the account's other numbers call on, and so does help."""
    stage = staged(states={"acme/sales": state})
    assert calls(stage, 1, calling=OWNED) == [403]
    assert rules(stage) == [rule]
    assert calls(stage, 1, first=1, calling=VERIFIED) == [200]
    assert calls(stage, 1, first=2, **EMERGENCY) == [200]


@pytest.mark.clause("policy: account state")
def test_a_restricted_end_user_is_segregated_and_capped() -> None:
    """In attestation and in number, and the account's other calls are not."""
    stage = staged(policy=limited(restricted=TWO_AT_A_TIME), restricted=["acme/sales"])
    assert calls(stage, 3, calling=OWNED) == [200, 200, 503]
    record = stage.network.records[0]
    assert (record["attest"], record["traffic_class"], record["tags"]) == ("B", "dialer", ["account-restricted"])
    assert calls(stage, 3, first=3, calling=VERIFIED) == [200] * 3


@pytest.mark.parametrize("who", ["acme", "acme/sales"])
def test_an_end_user_two_levels_below_the_trunk(who: str) -> None:
    """Over the reseller's trunk it is held to its limit, to that of the account between, and to a restriction."""
    of_sales = NumberRight("reseller", RightKind.OWNED, end_user="acme/sales")
    rights = [(OWNED, of_sales), (VERIFIED, NumberRight("reseller", RightKind.OWNED))]
    pbx = replace(TRUNKS[0], account="reseller")
    for found in (tree((who, TWO_AT_A_TIME)), tree((who, ONE_A_SECOND)), tree(restricted=[who])):
        accounts, trunks = found.accounts.values(), (pbx, *TRUNKS[1:])
        numbers = NumberBook.of(rights=rights)
        stage = Stage(
            directory=Directory(accounts=accounts, trunks=trunks, numbers=numbers),
            policy=limited(restricted=TWO_AT_A_TIME),
        )
        assert calls(stage, 3, calling=OWNED) == [200, 200, 503]
        assert calls(stage, 3, first=3, calling=VERIFIED) == [200] * 3
        stage.network.run(22_000.0)
        assert stage.sample.view.usage._counts == {}


@pytest.mark.parametrize("limit", [TWO_AT_A_TIME, ONE_A_SECOND])
@pytest.mark.parametrize("how", [{"gateway": True}, {"on_mismatch": OnMismatch.DOWNGRADE}])
def test_who_only_shows_a_number_takes_none_of_its_holders_calls(limit: CallLimit, how: dict[str, Any]) -> None:
    """Another customer's calls under it have a limit of their own; the holder has all that it may have."""
    found = tree()
    beta = replace(found.trunks["beta-pbx"], **how)
    trunks = (*TRUNKS, beta)
    accounts = found.accounts.values()
    stage = Stage(
        directory=Directory(accounts=accounts, trunks=trunks, numbers=found.numbers), policy=limited(number=limit)
    )
    agent = stage.agent(BETA_PBX, "beta-pbx")
    for number in range(3):
        agent.start(invite(call_id=f"beta-{number}@sample", source=BETA_PBX, calling=OWNED))
    stage.network.run(0.1)
    assert calls(stage, 3) == [200, 200, 503]
    assert sorted(code for code in agent.codes if code >= 200) == [200, 200, 503]
    stage.network.run(22_000.0)
    assert stage.sample.view.usage._counts == {}


@pytest.mark.clause("policy: scope")
@pytest.mark.parametrize("who", ["reseller", "acme", "acme/sales"])
def test_an_exception_for_any_account_above_an_end_user(who: str) -> None:
    """Over the reseller's trunk it is for the calls of its end users, also where it is of the account in between."""
    found = tree()
    rights = [(OWNED, NumberRight("reseller", RightKind.OWNED, end_user="acme/sales"))]
    trunks = (replace(TRUNKS[0], account="reseller"), *TRUNKS[1:])
    numbers = NumberBook.of(rights=rights)
    scope = {"limit.concurrent": Scope(accounts={"beta": Mode.BLOCK, who: Mode.OFF})}
    stage = Stage(
        directory=Directory(accounts=found.accounts.values(), trunks=trunks, numbers=numbers),
        policy=replace(limited(account=TWO_AT_A_TIME), scopes=scope),
    )
    assert calls(stage, 3, calling=OWNED) == [200] * 3
