"""Notices of emergency calls, over HTTPS to a server on loopback."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from sipguard.config.notify import NotifySection
from sipguard.proxy.output import Notice
from sipguard.runtime.addresses import AddressBook
from sipguard.runtime.clock import Clock
from sipguard.runtime.download import Downloader, tls_context
from sipguard.runtime.faults import Faults
from sipguard.runtime.notifier import Notifier
from sipguard.sip.flow import Flow
from tests.runtime.kit import Rig, run
from tests.runtime.receiver import FAILING, Receiver
from tests.runtime.repository import response

CALL = {"event": "emergency.call", "record": "a-1", "caller": "+14155550100", "location": "1 Main St"}


class Desk:
    """A notifier for one receiver; ``changes`` are those of its section."""

    def __init__(self, receiver: Receiver, **changes: Any) -> None:
        keys = {"allow_private_hosts": ("localhost",), "url": receiver.url("/notices"), "retry_delay": 0.01} | changes
        self.section = NotifySection(**keys)
        clock = Clock()
        self.faults = Faults(clock)
        book = AddressBook(clock, asyncio.get_running_loop())
        downloader = Downloader(book, tls_context(receiver.authorities))
        self.notifier = Notifier(lambda: self.section, downloader, self.faults)
        self.notifier.start()


def test_a_notice_is_posted(tmp_path: Path) -> None:
    """What the engine says arrives as JSON, and any 2xx means that it is known."""

    async def main() -> None:
        async with Receiver(tmp_path) as receiver:
            receiver.answers = [response(b"thank you", status="202 Accepted")]
            desk = Desk(receiver)
            desk.notifier.put(CALL)
            await desk.notifier.close()
            assert receiver.notices == [CALL]
            assert receiver.heads[0].startswith("POST /notices HTTP/1.1\r\n")
            assert "content-type: application/json" in receiver.heads[0].lower()
            assert (desk.notifier.delivered, desk.notifier.dropped, desk.faults.alarms) == (1, 0, {})

    run(main())


def test_a_failure_is_tried_again(tmp_path: Path) -> None:
    """A receiver that answers 500, 404 or with a redirect hears of the call again, until it says 2xx."""

    async def main() -> None:
        async with Receiver(tmp_path) as receiver:
            moved = response(b"", "Location: https://localhost/", status="302 Found")
            receiver.answers = [FAILING, response(b"", status="404 Not Found"), moved]
            desk = Desk(receiver)
            desk.notifier.put(CALL)
            await desk.notifier.close()
            assert receiver.notices == [CALL] * 4
            assert (desk.notifier.delivered, desk.faults.alarms) == (1, {})

    run(main())


def test_what_cannot_be_delivered_raises_the_alarm(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """After the configured number of attempts the alarm names the record; neither number nor address is logged."""

    async def main() -> None:
        async with Receiver(tmp_path) as receiver:
            receiver.answers = [FAILING] * 3
            desk = Desk(receiver, attempts=3)
            desk.notifier.put(CALL)
            await desk.notifier.close()
            assert len(receiver.notices) == 3
            assert (desk.notifier.dropped, desk.faults.alarms["emergency-notice"]) == (1, 1)

    run(main())
    alarm = next(line for line in caplog.records if line.getMessage() == "alarm.emergency-notice")
    assert alarm.fields == {"record": "a-1", "detail": "the server answered 500"}  # type: ignore[attr-defined]
    said = " ".join(str(vars(line)) for line in caplog.records)
    assert "Main St" not in said
    assert "4155550100" not in said


def test_one_that_hangs_holds_up_nobody(tmp_path: Path) -> None:
    """Notices go on while the receiver keeps one waiting; putting one in takes no time; what has no room is dropped."""

    async def main() -> None:
        async with Receiver(tmp_path) as receiver:
            receiver.gate.clear()
            desk = Desk(receiver, queue=2, timeout=10.0)
            for number in range(4):  # as many as are posted at once
                desk.notifier.put({"record": number})
                await receiver.until(number + 1)
            for number in range(4, 7):
                desk.notifier.put({"record": number})
            assert (desk.notifier.dropped, desk.faults.alarms["emergency-notice"]) == (1, 1)
            receiver.gate.set()
            await desk.notifier.close()
            assert desk.notifier.delivered == 6
            assert sorted(notice["record"] for notice in receiver.notices) == [0, 1, 2, 3, 4, 5]

    run(main())


def test_no_answer_within_the_time(tmp_path: Path) -> None:
    """A receiver that never answers costs an attempt; at the end what is left is told by the alarm, not waited for."""

    async def main() -> None:
        async with Receiver(tmp_path) as receiver:
            receiver.gate.clear()
            desk = Desk(receiver, timeout=0.05, attempts=20, retry_delay=60.0)
            for number in range(6):
                desk.notifier.put({"record": number})
            await receiver.until(4)
            await desk.notifier.close()
            assert (desk.notifier.dropped, desk.faults.alarms["emergency-notice"]) == (6, 6)

    run(main())


def test_a_private_address_must_be_named(tmp_path: Path) -> None:
    """A name that leads to this machine is not connected to unless it is allowed; without a URL nobody is told."""

    async def main() -> None:
        async with Receiver(tmp_path) as receiver:
            desk = Desk(receiver, attempts=1)
            desk.section = desk.section.model_copy(update={"allow_private_hosts": ()})
            desk.notifier.put(CALL)
            desk.notifier.put(CALL)
            await desk.notifier.close()
            assert (receiver.notices, desk.notifier.dropped) == ([], 2)
            silent = Desk(receiver, url="")
            silent.notifier.put(CALL)
            await silent.notifier.close()
            assert (receiver.notices, silent.notifier.dropped) == ([], 0)

    run(main())


@pytest.mark.parametrize(
    "url",
    [
        "http://alerts.example.com/",
        "https://user:word@alerts.example.com/",
        "https://127.0.0.1/",
        "https://x.internal/",
    ],
)
def test_a_url_that_would_never_be_used_is_refused(url: str) -> None:
    """Plain HTTP, passwords in the URL and private hosts that are not named are errors of the configuration."""
    with pytest.raises(ValueError, match="allow_private_hosts"):
        NotifySection(url=url)
    assert NotifySection(allow_private_hosts=("127.0.0.1",), url="https://127.0.0.1:9443/x").url


def test_the_driver_hands_notices_on(tmp_path: Path) -> None:
    """A notice of the engine reaches the notifier in its turn, and no message waits for it."""

    async def main() -> None:
        rig = Rig(tmp_path)
        told: list[Any] = []
        rig.driver.notify = told.append
        rig.engine.on_receive = lambda data, flow: [Notice(CALL)]
        rig.driver.receive(b"x", Flow(0, "udp", "192.0.2.1", 5060))
        assert told == [CALL]
        await rig.close()

    run(main())
