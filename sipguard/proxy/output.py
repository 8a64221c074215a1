"""What the engine hands back: everything that happens outside is one of these values, applied in order."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from sipguard.policy.need import Need
from sipguard.sip.flow import Flow, Send


class Ask(NamedTuple):
    """A fact is missing or a record must become durable; answer through ``Engine.complete``."""

    need: Need


class Event(NamedTuple):
    """A follow-up record to append to the attestation log; nothing waits for it."""

    line: bytes


class Remember(NamedTuple):
    """What it takes to know a call again after a restart, or that it is over; nothing waits for it."""

    line: bytes


class Log(NamedTuple):
    """A line for the operator. ``level`` is the standard library's number (10 debug, 20 info, 30 warning, 40 error)."""

    level: int
    event: str
    fields: Mapping[str, Any]


class Close(NamedTuple):
    """A stream on which something arrived that is not SIP: close it after what was sent."""

    flow: Flow


class Notice(NamedTuple):
    """Somebody outside wants to hear of this; nothing waits for it."""

    fields: Mapping[str, Any]


Output = Send | Ask | Event | Remember | Log | Close | Notice

DEBUG, INFO, WARNING, ERROR = 10, 20, 30, 40
