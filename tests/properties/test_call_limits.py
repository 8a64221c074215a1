"""What holds of limits and throttles whatever calls come and go."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipguard.policy.account import Account, AccountState
from sipguard.policy.account_limits import TREE
from sipguard.policy.call import Call
from sipguard.policy.call_limits import places
from sipguard.policy.chain import run
from sipguard.policy.decision import FORWARD
from sipguard.policy.rules import Mode
from sipguard.policy.settings import CallLimits, PolicySettings
from sipguard.traffic.limit import CallLimit
from sipguard.traffic.usage import Hold
from tests.policy.kit import FOREIGN, OWNED, call_of, directory, invite, view_of

TREES = {
    "operator": ("operator",),
    "reseller": ("operator", "reseller"),
    "acme": ("operator", "reseller", "acme"),
    "beta": ("operator", "reseller", "beta"),
    "acme/sales": ("operator", "reseller", "acme", "acme/sales"),
}
THROTTLED = "caller-id.not-owned"
LIMITS = st.builds(CallLimit, concurrent=st.integers(0, 4))
LEVELS = st.dictionaries(st.sampled_from(list(TREES)), LIMITS)
# A call of somebody (with a number of its own or a forged one), a call that ends, other limits from now on.
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("call"), st.sampled_from(list(TREES)), st.booleans()),
        st.tuples(st.just("end"), st.integers(0, 50)),
        st.tuples(st.just("limits"), LEVELS, st.sets(st.sampled_from(list(TREES)), max_size=1)),
    ),
    max_size=60,
)


class World:
    """The tree under changing limits, and the calls that are up."""

    def __init__(self) -> None:
        self.throttle = CallLimit(concurrent=2)
        self.restricted = CallLimit(concurrent=3)
        self.view = view_of()
        self.up: list[tuple[Call, Hold]] = []
        self.limits: dict[str, CallLimit] = {}
        self.capped: set[str] = set()
        self.change({}, set())

    def change(self, limits: dict[str, CallLimit], restricted: set[str]) -> None:
        """Swap the directory, as a change in the registry does; the usage stays."""
        self.limits, self.capped = limits, restricted
        accounts = []
        for name, path in TREES.items():
            state = AccountState.RESTRICTED if restricted & set(path) else AccountState.ACTIVE
            own = tuple((level, limits[level]) for level in path if level in limits)
            accounts.append(Account(name, state, path, limits=own))
        modes = {THROTTLED: Mode.THROTTLE}
        policy = PolicySettings(modes=modes, limits=CallLimits(throttle=self.throttle, restricted=self.restricted))
        usage = self.view.usage
        self.view = view_of(directory=directory(accounts=accounts), policy=policy)
        object.__setattr__(self.view, "usage", usage)

    def call(self, name: str, owned: bool) -> None:
        """One more call, held as the proxy holds it when it goes on; it may only when there is room at every level."""
        number = OWNED if owned and name in ("acme", "acme/sales") else FOREIGN
        account = self.view.directory.account(name)
        call = call_of(invite(from_=f"<sip:+{number}@pbx>"), account=account)
        before = Counter(self.view.usage._counts)
        forwarded = run(call, self.view) is FORWARD
        if not forwarded:
            if call.hold is not None:
                call.hold.release()
            assert Counter(self.view.usage._counts) == before
            return
        for level in levels(call):
            limit = self.limit(level)
            assert not limit or before["tree", level] < limit
        assert THROTTLED not in call.tags or before["throttle", f"{THROTTLED} account {name}"] < 2
        taken = places(call, self.view)
        hold = self.view.usage.hold(taken) if call.hold is None else call.hold.extended(taken)
        self.up.append((call, hold))

    def limit(self, level: str) -> int:
        """The calls at a time that a level may have; 0 is no limit."""
        own = self.limits[level].concurrent if level in self.limits else 0
        caps = [own, self.restricted.concurrent if level in self.capped else 0]
        return min((cap for cap in caps if cap), default=0)


def levels(call: Call) -> set[str]:
    """Whom a call counts for: its account, those above it, and the end user whose number it shows."""
    end_user = call.identity.end_user if call.identity is not None else None
    return {*call.account.path, *filter(None, (end_user,))}


@pytest.mark.clause("policy: limits")
@given(EVENTS)
@settings(max_examples=200, deadline=None)
def test_no_level_ever_takes_more_than_it_may_and_nothing_stays_held(events):
    """A call goes on only where every level has room; counts are of the calls up, and nothing when all are over."""
    world = World()
    for event in events:
        if event[0] == "call":
            world.call(event[1], event[2])
        elif event[0] == "end" and world.up:
            world.up.pop(event[1] % len(world.up))[1].release()
        elif event[0] == "limits":
            world.change(event[1], event[2])
        expected = Counter(level for call, _ in world.up for level in levels(call))
        for level in TREES:
            assert world.view.usage.up((TREE, level)) == expected[level]
    for _, hold in world.up:
        hold.release()
    assert world.view.usage._counts == {}
