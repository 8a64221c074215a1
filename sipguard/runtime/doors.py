"""The engine as the driver sees it: six ways in, one deadline out."""

from collections.abc import Iterable
from typing import Protocol

from sipguard.policy.need import Answer, Need, TargetAnswer
from sipguard.proxy.output import Output
from sipguard.sip.flow import Flow


class Doors(Protocol):
    """What the driver calls; ``sipguard.engine.Engine`` is the one that matters.

    ``now`` is monotonic, ``wall`` the wall clock, both in seconds.
    """

    def receive(self, data: bytes, flow: Flow, now: float, wall: float) -> list[Output]:
        """One datagram or one framed message arrived."""

    def complete(self, need: Need, answer: Answer | TargetAnswer, now: float, wall: float) -> list[Output]:
        """A need is answered."""

    def lost(self, flow: Flow, now: float, wall: float) -> list[Output]:
        """A send on this flow failed, or its stream is gone."""

    def tick(self, now: float, wall: float) -> list[Output]:
        """Time has passed."""

    def recover(self, lines: Iterable[bytes], now: float, wall: float) -> list[Output]:
        """What the process before this one remembered of its calls, oldest first."""

    def observe(self, delay: float, now: float) -> None:
        """What is being read waited so many seconds outside."""

    def deadline(self) -> float | None:
        """When the next tick is due."""
