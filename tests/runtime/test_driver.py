"""The driver: outputs in order, one write a batch, one timer."""

import asyncio
import json
import time
from pathlib import Path

from sipguard.ledger.reader import LogReader
from sipguard.policy.need import Answer, CommitNeed, Server, TargetAnswer, TargetNeed
from sipguard.proxy.output import Ask, Close, Event, Log, Output
from sipguard.runtime.driver import Driver
from sipguard.sip.flow import Flow, Send
from tests.runtime.kit import Rig, run

FLOW = Flow(0, "udp", "192.0.2.1", 5060)


class Wire:
    """A transport that notes what it is told, beside the number of records that are durable by then."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.told: list[tuple[object, int]] = []
        self.broken: set[Flow] = set()

    def send(self, flow: Flow, data: bytes) -> None:
        self.told.append((data, self.rig.log.records))
        if flow in self.broken:
            self.rig.driver.lost(flow)

    def disconnect(self, flow: Flow) -> None:
        self.told.append((flow, self.rig.log.records))


def commit(number: int) -> CommitNeed:
    """A need for a record with this number."""
    return CommitNeed(f"a-{number}", json.dumps({"id": f"a-{number}", "event": "decision"}).encode())


def test_a_call_leaves_after_its_record_is_durable(tmp_path: Path) -> None:
    """100 Trying goes at once; what ``complete`` gives goes only after the append."""

    async def main() -> None:
        rig = Rig(tmp_path)
        wire = rig.driver.transports[0] = Wire(rig)
        rig.engine.on_receive = lambda data, flow: [Send(flow, b"100"), Ask(commit(1))]
        rig.engine.on_complete = lambda need, answer: [Send(FLOW, b"INVITE")]
        rig.driver.receive(b"x", FLOW)
        assert wire.told == [(b"100", 0)]
        rig.driver.settle()
        assert wire.told == [(b"100", 0), (b"INVITE", 1)]
        assert rig.engine.completed == [(commit(1), Answer(True))]
        await rig.close()

    run(main())


def test_a_batch_of_datagrams_is_one_write(tmp_path: Path) -> None:
    """All records of a batch are durable before the first of its calls goes on."""

    async def main() -> None:
        rig = Rig(tmp_path)
        wire = rig.driver.transports[0] = Wire(rig)
        rig.engine.on_receive = lambda data, flow: [Ask(commit(int(data))), Event(b'{"id":"e"}')]
        rig.engine.on_complete = lambda need, answer: [Send(FLOW, need.identifier.encode())]  # type: ignore[union-attr]
        for number in range(3):
            rig.driver.receive(str(number).encode(), FLOW)
        assert rig.log.records == 0
        rig.driver.settle()
        assert wire.told == [(b"a-0", 6), (b"a-1", 6), (b"a-2", 6)]
        await rig.close()
        identifiers = [record["id"] for record in LogReader(tmp_path / "attestation").records()]
        assert identifiers == ["a-0", "e", "a-1", "e", "a-2", "e"]

    run(main())


def test_with_a_worker_the_calls_go_on_when_the_disk_has_answered(tmp_path: Path) -> None:
    """Durability ``disk``: the loop is not blocked, commits that come meanwhile are the next batch."""

    async def main() -> None:
        rig = Rig(tmp_path, worker=True)
        wire = rig.driver.transports[0] = Wire(rig)
        rig.engine.on_receive = lambda data, flow: [Ask(commit(int(data)))]
        rig.engine.on_complete = lambda need, answer: [Send(FLOW, need.identifier.encode())]  # type: ignore[union-attr]
        for number in range(50):
            rig.driver.receive(str(number).encode(), FLOW)
            rig.driver.settle()
        assert not wire.told
        await rig.engine.until(lambda: len(rig.engine.completed) == 50)
        assert [data for data, _ in wire.told] == [f"a-{number}".encode() for number in range(50)]
        assert all(number < records for number, (_, records) in enumerate(wire.told))
        await rig.close()

    run(main())


def test_closing_writes_what_the_worker_has_not(tmp_path: Path) -> None:
    """Records queued while the worker writes are on disk when the journal is closed."""

    async def main() -> None:
        rig = Rig(tmp_path, worker=True)
        rig.engine.on_receive = lambda data, flow: [Event(b'{"id":"e"}')]
        for _ in range(10):
            rig.driver.receive(b"", FLOW)
            rig.driver.settle()
        await rig.close()
        assert LogReader(tmp_path / "attestation").verify().records == 10

    run(main())


def test_a_failed_send_is_told_to_the_engine_by_settle(tmp_path: Path) -> None:
    """The engine is never entered while its outputs are being applied."""

    async def main() -> None:
        rig = Rig(tmp_path)
        wire = rig.driver.transports[0] = Wire(rig)
        wire.broken.add(FLOW)
        rig.engine.on_receive = lambda data, flow: [Send(FLOW, b"1"), Send(FLOW, b"2")]
        rig.driver.receive(b"x", FLOW)
        assert rig.engine.lost_flows == []
        rig.driver.settle()
        assert rig.engine.lost_flows == [FLOW]
        await rig.close()

    run(main())


def test_a_need_answered_at_once_is_completed_in_the_same_batch(tmp_path: Path) -> None:
    """A provider that knows the answer costs no turn of the loop; one that does not calls ``answer`` later."""

    async def main() -> None:
        rig = Rig(tmp_path)
        answer = TargetAnswer((Server("udp", "192.0.2.9", 5060),))
        rig.driver.providers[TargetNeed] = lambda need: answer if need.host == "known" else None
        rig.engine.on_receive = lambda data, flow: [Ask(TargetNeed(data.decode()))]
        rig.driver.receive(b"known", FLOW)
        rig.driver.receive(b"later", FLOW)
        rig.driver.settle()
        assert rig.engine.completed == [(TargetNeed("known"), answer)]
        rig.driver.answer(TargetNeed("later"), TargetAnswer((), "no"))
        assert rig.engine.completed[1] == (TargetNeed("later"), TargetAnswer((), "no"))
        await rig.close()

    run(main())


def test_a_bug_costs_one_datagram(tmp_path: Path) -> None:
    """An exception behind any door is counted, and the next datagram is served."""

    def stumble(data: bytes, flow: Flow) -> list[Output]:
        if data == b"bad":
            raise RuntimeError("stumbled")
        return [Send(FLOW, data)]

    async def main() -> None:
        rig = Rig(tmp_path)
        wire = rig.driver.transports[0] = Wire(rig)
        rig.engine.on_receive = stumble
        for data in (b"bad", b"good", b"bad", b"good"):
            rig.driver.receive(data, FLOW)
        rig.driver.settle()
        assert [data for data, _ in wire.told] == [b"good", b"good"]
        assert rig.faults.alarms["bug"] == 2
        await rig.close()

    run(main())


def test_the_timer_fires_at_the_engines_deadline(tmp_path: Path) -> None:
    """``tick`` comes when the deadline is due, also when a nearer one was set meanwhile."""

    async def main() -> None:
        rig = Rig(tmp_path)
        now = rig.clock.monotonic()
        rig.engine.due = now + 60
        rig.driver.settle()
        rig.engine.due = now + 0.05
        rig.driver.settle()
        await rig.engine.until(lambda: rig.engine.ticks)
        assert 0.04 < rig.clock.monotonic() - now < 10
        await rig.close()

    run(main())


def test_a_tick_that_always_fails_does_not_spin(tmp_path: Path) -> None:
    """A bug in a timer leaves the loop free for everybody else."""

    def stumble() -> list[Output]:
        rig.engine.due = 0.0
        raise RuntimeError("stumbled")

    rig: Rig

    async def main() -> None:
        nonlocal rig
        rig = Rig(tmp_path)
        rig.engine.on_tick = stumble
        rig.engine.due = 0.0
        rig.driver.settle()
        await rig.engine.until(lambda: rig.engine.ticks >= 2)
        ticks = rig.engine.ticks
        for _ in range(100):
            await asyncio.sleep(0)
        assert rig.engine.ticks <= ticks + 1
        await rig.close()

    run(main())


def test_streams_are_closed_and_lines_logged_in_order(tmp_path: Path, caplog: object) -> None:
    """Close and Log outputs take effect between the sends around them."""

    async def main() -> None:
        rig = Rig(tmp_path)
        wire = rig.driver.transports[0] = Wire(rig)
        rig.engine.on_receive = lambda data, flow: [
            Send(FLOW, b"1"), Log(20, "said", {"a": 1}), Close(FLOW), Send(FLOW, b"2")
        ]  # fmt: skip
        rig.driver.receive(b"x", FLOW)
        rig.driver.settle()
        assert [told for told, _ in wire.told] == [b"1", FLOW, b"2"]
        await rig.close()

    run(main())


def test_the_engine_protocol_is_the_engines() -> None:
    """The scripted engine has the doors of the real one."""
    from sipguard.engine import Engine

    for door in ("receive", "complete", "lost", "tick", "deadline"):
        assert callable(getattr(Engine, door))
    assert Driver.__init__.__annotations__["engine"].__name__ == "Doors"


def test_a_late_loop_is_told_to_the_engine(tmp_path: Path) -> None:
    """How late the engine's timer fires is an observation, when no transport has one."""

    async def main() -> None:
        rig = Rig(tmp_path)
        rig.engine.due = rig.clock.monotonic() + 0.01
        rig.driver.settle()
        time.sleep(0.15)  # the loop is busy with something else
        await rig.engine.until(lambda: rig.engine.ticks == 1)
        (delay,) = rig.engine.delays
        assert 0.1 < delay < 5
        await rig.close()

    run(main())


def test_a_late_loop_counts_with_what_a_transport_sees(tmp_path: Path) -> None:
    """The longer of the two waits is told, once."""

    async def main() -> None:
        rig = Rig(tmp_path)
        rig.driver.observe(0.0)
        rig.engine.due = rig.clock.monotonic() + 0.01
        rig.driver.settle()
        time.sleep(0.05)  # the loop is busy with something else
        await rig.engine.until(lambda: rig.engine.ticks == 1)
        rig.driver.observe(0.001)
        rig.driver.observe(0.001)
        assert rig.engine.delays[0] == 0.0
        assert rig.engine.delays[1] >= 0.04
        assert rig.engine.delays[2] == 0.001
        await rig.close()

    run(main())
