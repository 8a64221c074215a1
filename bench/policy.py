"""Microseconds of the policy chain without cryptography, and of each traffic event: ``python -m bench.policy``.

The chain is measured on an origination with an asserted number, its signer replaced by one that costs nothing, and the
best of five runs counts: the rest of the machine can only add.
"""

import itertools
import timeit
from collections.abc import Callable
from dataclasses import replace

from sipguard.config.callers import CallersSection
from sipguard.config.destinations import DestinationsSection
from sipguard.policy import chain
from sipguard.policy.account import Account
from sipguard.policy.call import Call
from sipguard.policy.directory import Directory
from sipguard.policy.emergency_numbers import emergency_number
from sipguard.policy.heading import Heading
from sipguard.policy.premium_numbers import PremiumNumbers
from sipguard.policy.settings import CallLimits, PolicySettings
from sipguard.policy.stages import caller_number, display_number, hugging, network_caller, rotation, velocity, wangiri
from sipguard.policy.velocity import note_attempt
from sipguard.sip.uri import parse_uri
from sipguard.stir.authentication import Signer
from sipguard.stir.generations import Generations
from sipguard.stir.telephone_number import TN, DialPlan
from sipguard.stir.unix_time import UnixTime
from sipguard.testing.sample import ACME_PBX, CALLED, CARRIER_A, OWNED, WALL, Sample, directory, flow_from, invite
from sipguard.traffic.book import TrafficBook
from sipguard.traffic.limit import CallLimit
from sipguard.traffic.profile import Profile

_ROUNDS = 20_000


class FreeKey:
    """A key that signs nothing."""

    def belongs_to(self, _public_key: object) -> bool:
        """To whatever it is asked about."""
        return True

    def sign(self, _octets: bytes, *, fresh: bool = False) -> bytes:
        """A constant."""
        return bytes(64)


def measure(name: str, action: Callable[[], object], events: int = 1) -> None:
    """Print what one of the events of an action costs."""
    best = min(timeit.repeat(action, number=_ROUNDS, repeat=5))
    print(f"{name:24} {best / _ROUNDS / events * 1e6:6.2f} us")


def one_call(sample: Sample) -> Callable[[], object]:
    """The chain over a fresh copy of a request, so that reading its typed fields counts."""
    signer = sample.signer
    free = Signer("default", FreeKey(), signer.chain, signer.url)
    view = replace(sample.view, signers={"default": Generations("default", [free])})
    trunk = sample.directory.trunks["acme-pbx"]
    account = sample.directory.account("acme")
    request = invite(headers=(f"P-Asserted-Identity: <sip:+{OWNED}@pbx.example>",))
    flow = flow_from(ACME_PBX)
    return lambda: chain.run(Call("1", request.fork(), flow, UnixTime(int(WALL)), trunk, account), view)


def limited_tree() -> Directory:
    """The sample's directory, its account three levels down a tree every level of which has a limit."""
    path = ("operator", "reseller", "acme")
    wide = CallLimit(1e5, 100_000, 100_000)
    account = Account("acme", path=path, limits=tuple((name, wide) for name in path))
    known = directory()
    return Directory(accounts=[account], trunks=known.trunks.values(), numbers=known.numbers)


def everywhere() -> PolicySettings:
    """A policy with every limit, wide enough that nothing is refused."""
    wide = CallLimit(1e5, 100_000, 100_000)
    return PolicySettings(limits=CallLimits(source=wide, trunk=wide, account=wide, number=wide, egress=wide))


def one_life(book: TrafficBook) -> Callable[[], None]:
    """Three events: a call attempted, answered and ended."""
    clock = iter(range(10**9))

    def life() -> None:
        now = next(clock) / 50
        book.attempt("acme", now)
        book.answered("acme", now)
        book.ended("acme", 60.0, now)

    return life


def one_heading(sample: Sample, called: str) -> Callable[[], object]:
    """Where one more call to a number goes, whether it may, and that it counts."""
    trunk, account = sample.directory.trunks["acme-pbx"], sample.directory.account("acme")
    request, flow, clock = invite(called=called), flow_from(ACME_PBX), iter(range(10**9))
    call, view = Call("1", request, flow, UnixTime(int(WALL)), trunk, account), sample.view

    def heading() -> None:
        call.arrived = next(clock) * 400.0  # slow enough for every figure
        call.heading = None
        found = velocity.examine(call, view)
        call.heading = found if isinstance(found, Heading) else None
        wangiri.examine(call, view)
        note_attempt(call, view, call.arrived)

    return heading


def destinations() -> None:
    """What it costs to watch where calls go: off, and with the published figures."""
    off = Sample(policy=PolicySettings(countries=("*",)))
    on = Sample(policy=replace(off.policy, destinations=DestinationsSection().settings()))
    for name, called in (("home", CALLED), ("abroad", "447700900123"), ("high-risk", "224712345678")):
        for word, sample in (("off", off), ("on", on)):
            measure(f"destination {name}, {word}", one_heading(sample, called))


def stages() -> None:
    """What the stages about callers cost a call for which none of them has a word."""
    sample = Sample(policy=PolicySettings(caller_numbers=CallersSection().numbers(PremiumNumbers(), {})))
    view, trunks = sample.view, sample.directory.trunks
    request = invite(headers=(f"P-Asserted-Identity: <sip:+{OWNED}@pbx.example>",))
    account = sample.directory.account("acme")
    call = Call("1", request, flow_from(ACME_PBX), UnixTime(int(WALL)), trunks["acme-pbx"], account)
    arriving = invite(calling=CALLED, called=OWNED, source=CARRIER_A)
    other = Call("2", arriving, flow_from(CARRIER_A), UnixTime(int(WALL)), trunks["carrier-a"], None)
    chain.run(call, view)
    chain.run(other, view)
    view.rotation.refused(("globex", CALLED), hash(OWNED), 0.0, 60.0)
    limit = CallLimits(account=CallLimit(rate=10.0, concurrent=30))
    limited = replace(view, policy=replace(view.policy, limits=limit))
    measure("stage rotation", lambda: rotation.examine(call, view))
    measure("stage caller-number", lambda: caller_number.examine(call, view))
    measure("stage display-number", lambda: display_number.examine(call, view))
    measure("stage hugging", lambda: hugging.examine(call, view))
    measure("stage hugging, limited", lambda: hugging.examine(call, limited))
    measure("stage network-caller", lambda: network_caller.examine(other, view))


def main() -> None:
    """Measure and print."""
    plan, called = DialPlan(), parse_uri("sip:+14155550150@proxy.example")
    measure("chain, origination", one_call(Sample()))
    callers = CallersSection().numbers(PremiumNumbers(), {})
    others = (TN(str(14_155_550_000 + number)) for number in itertools.count())
    measure("caller number, new", lambda: callers.fault(next(others), plan))
    measure("caller number, known", lambda: callers.fault(OWNED, plan))
    measure("the same, limits", one_call(Sample(limited_tree(), everywhere())))
    stages()
    measure("emergency_number", lambda: emergency_number(called, plan, {}))
    measure("traffic, per event", one_life(TrafficBook(Profile())), events=3)
    destinations()


if __name__ == "__main__":
    main()
