"""The soak on its stage: network, proxy, agents and relay, put up, watched until all calls have ended, taken down."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bench.process import BenchError
from bench.soak import node as proxy
from bench.soak.agent import Progress, Setup
from bench.soak.child import Child
from bench.soak.kinds import INBOUND_SHARE
from bench.soak.memory import MemoryBook, Sample, sizes
from bench.soak.network import CARRIER, CUSTOMER, Network
from bench.soak.relay import Tally, Wiring
from scenarios.node import Node
from scenarios.repository import Repository
from scenarios.topology import Certificates

_EVERY = 2.0  # seconds between two samples
_WHILE_DRAINING = 0.5  # the same at the end, when every call counts
_STATE = ("sipguard_open_transactions", "sipguard_active_calls", "sipguard_parked_requests")


@dataclass(frozen=True, slots=True)
class Plan:
    """How much, how fast, how bad. ``slow``: with kinds of calls that take minutes."""

    calls: int
    rate: float
    loss: float
    seed: str
    t1: float

    @property
    def slow(self) -> bool:
        """Whether the run is long enough for calls that take three minutes."""
        return self.calls >= 20_000

    @property
    def limit(self) -> int:
        """Calls at a time before an agent waits: what a machine that is too slow is spared."""
        return max(500, round(self.rate * 6))


class Stage(ExitStack):
    """Everything that runs."""

    def __init__(self, plan: Plan, network: Network, directory: Path) -> None:
        super().__init__()
        self.plan = plan
        self.directory = directory
        self.results = {name: directory / f"{name}.csv" for name in (CUSTOMER, CARRIER)}
        certificates = Certificates.make(directory / "certs")
        repository = Repository(certificates.own / "https.pem", certificates.own / "https.key", certificates.served)
        self.repository = self.enter_context(repository)
        self.node = self.enter_context(Node(directory / "node", network.proxy_host))
        agents = {name: self._child("agent", name, network) for name in (CUSTOMER, CARRIER)}
        self.agents = agents
        self.relay = self._child("relay", "relay", network)
        wires, cables = network.lay(
            {name: agent.process_id for name, agent in agents.items()}, self.relay.process_id, self.node.address
        )
        proxy.configure(self.node, network, wires, certificates, self.repository, plan.t1)
        self.node.start()
        self.relay.tell(Wiring(plan.seed, plan.loss, cables))
        inbound = round(plan.calls * INBOUND_SHARE)
        for name, calls in ((CARRIER, inbound), (CUSTOMER, plan.calls - inbound)):
            agents[name].tell(
                Setup(
                    network=name == CARRIER,
                    seed=f"{plan.seed}{name[:2]}",
                    calls=calls,
                    rate=plan.rate * calls / plan.calls,
                    limit=plan.limit,
                    t1=plan.t1,
                    slow=plan.slow,
                    places=wires[name].places,
                    numbers=list(proxy.NUMBERS),
                    results=str(self.results[name]),
                    interface=network.interface,
                    key=str(certificates.other / "leaf.key") if name == CARRIER else "",
                    url=self.repository.url(certificates.OTHER_PATH),
                )
            )
        self.begun = time.monotonic()

    def _child(self, module: str, name: str, network: Network) -> Child:
        errors = self.directory / f"{name}.errors"
        return self.enter_context(Child(f"bench.soak.{module}", errors, apart=network.apart))

    def progress(self) -> Progress:
        """Both agents together. Raises BenchError when one is gone."""
        agents = [msgspec.json.decode(agent.last, type=Progress) for agent in self.agents.values()]
        fields = Progress.__struct_fields__
        return Progress(*(sum(getattr(agent, field) for agent in agents) for field in fields))

    def sample(self, progress: Progress) -> Sample:
        """The proxy now. Raises BenchError when it does not answer."""
        try:
            metrics = proxy.metrics(self.node)
            rss, pss = sizes(self.node.process_id)
        except OSError as error:
            raise BenchError(f"the proxy does not answer: {error}") from error
        state = (round(metrics[name]) for name in _STATE)
        return Sample(time.monotonic() - self.begun, progress.started, progress.finished, rss, pss, *state)

    def play(self, book: MemoryBook, say: Callable[[Sample, Progress], None]) -> None:
        """Until every call has ended. Raises BenchError when it takes far too long."""
        latest = self.begun + self.plan.calls / self.plan.rate * 4 + 400
        while True:
            progress = self.progress()
            sample = self.sample(progress)
            book.add(sample)
            say(sample, progress)
            if progress.finished >= self.plan.calls:
                return
            if time.monotonic() > latest:
                raise BenchError(f"{progress.active} calls do not end")
            time.sleep(_EVERY)

    def drain(self, book: MemoryBook, say: Callable[[Sample, Progress], None]) -> float | None:
        """Until the proxy holds nothing any more. The seconds it took, None when it held on for too long."""
        begun = time.monotonic()
        longest = 2 * 64 * self.plan.t1 + 45.0  # Timer D is 32 s at least, whatever T1 is
        while True:
            progress = self.progress()
            sample = self.sample(progress)
            book.add(sample)
            say(sample, progress)
            if not (sample.open_transactions or sample.active_calls or sample.parked):
                for _ in range(3):
                    book.add(self.sample(progress))
                return time.monotonic() - begun
            if time.monotonic() - begun > longest:
                return None
            time.sleep(_WHILE_DRAINING)

    def end(self) -> tuple[Progress, Tally, dict[str, float], int]:
        """Take down in order: agents, relay, proxy; what they say at the end, and the proxy's exit code."""
        progress = [msgspec.json.decode(agent.finish(), type=Progress) for agent in self.agents.values()]
        fields = Progress.__struct_fields__
        total = Progress(*(sum(getattr(agent, field) for agent in progress) for field in fields))
        metrics = proxy.metrics(self.node)
        tally = msgspec.json.decode(self.relay.finish(), type=Tally)
        return total, tally, metrics, self.node.stop()
