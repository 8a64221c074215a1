"""A request inside a dialog on its way through here."""

from sipguard.policy.need import Server, TargetNeed
from sipguard.proxy.active_calls import ActiveCall
from sipguard.proxy.dialog import Dialog, Leg
from sipguard.proxy.resubmission import Resubmission
from sipguard.sip.flow import Flow, Listener
from sipguard.sip.message import Request


class Passage:
    """One in-dialog request on its way to its next hop.

    ``record`` is the record our token in its route set names; ``active`` is the call and ``dialog`` its dialog while
    that is up, ``by_caller`` whether the caller sent it. ``flow`` is the flow it must leave on, if there is one;
    ``hop`` is None when that flow is no more. ``resubmission`` is there when it goes to a carrier that may ask for
    credentials.
    """

    __slots__ = ("active", "by_caller", "dialog", "flow", "fork", "hop", "listener", "record", "resubmission")

    def __init__(self, fork: Request, record: str | None, active: ActiveCall | None, arrived_on: Listener) -> None:
        self.fork = fork
        self.record = record
        self.active = active
        self.dialog: Dialog | None = None
        self.by_caller = False
        self.listener = arrived_on
        self.hop: Server | TargetNeed | None = None
        self.flow: Flow | None = None
        self.resubmission: Resubmission | None = None

    @property
    def legs(self) -> tuple[Leg, Leg] | None:
        """Whence and where it goes."""
        if self.dialog is None:
            return None
        caller, called = self.dialog.caller, self.dialog.called
        return (caller, called) if self.by_caller else (called, caller)
