"""A request inside a dialog on its way through here, or why it goes nowhere."""

from typing import NamedTuple

from sipguard.policy.need import Server, TargetNeed
from sipguard.policy.trunk import Side, Trunk
from sipguard.proxy.active_calls import ActiveCall
from sipguard.proxy.dialog import Dialog, Leg
from sipguard.proxy.resubmission import Resubmission
from sipguard.sip.flow import Flow, Listener
from sipguard.sip.message import Request


class Refused(NamedTuple):
    """The answer to a request that goes nowhere and changes nothing."""

    code: int
    headers: tuple[tuple[str, str], ...] = ()


class Passage:
    """One in-dialog request on its way to its next hop.

    ``active`` is the call and ``dialog`` its dialog while that is up, ``by_caller`` whether the caller sent it;
    ``record`` is the record that the token in its route set names otherwise. ``flow`` is the flow it must leave on, if
    there is one; ``hop`` is None when that flow is no more. ``resubmission`` is there when it goes to a carrier that
    may ask for credentials. ``believed`` is whether what it says of its sender counts.
    """

    __slots__ = (
        "active",
        "believed",
        "by_caller",
        "dialog",
        "flow",
        "fork",
        "hop",
        "listener",
        "record",
        "resubmission",
    )

    def __init__(self, fork: Request, arrived_on: Listener) -> None:
        self.fork = fork
        self.record: str | None = None
        self.active: ActiveCall | None = None
        self.dialog: Dialog | None = None
        self.by_caller = False
        self.believed = True
        self.listener = arrived_on
        self.hop: Server | TargetNeed | None = None
        self.flow: Flow | None = None
        self.resubmission: Resubmission | None = None

    @property
    def there(self) -> Leg | None:
        """The side of the party it is for."""
        if self.dialog is None:
            return None
        return self.dialog.called if self.by_caller else self.dialog.caller

    @property
    def inward(self) -> bool:
        """Whether the party it is for is a customer."""
        if self.active is None:
            return False
        party = self.active.called if self.by_caller else self.active.caller
        return party is not None and party.trunk.side is Side.CUSTOMER

    @property
    def speaker(self) -> Trunk | None:
        """The trunk of the party whose tag it has."""
        if self.active is None:
            return None
        party = self.active.caller if self.by_caller else self.active.called
        return None if party is None else party.trunk
