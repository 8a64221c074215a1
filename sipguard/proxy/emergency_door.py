"""The way in for a call for help from a source that is banned and may be a customer known by its password alone.

Anybody can send datagrams in the name of an address, so such a customer can be banned for what others did before its
first proof; a ban must not cost it its emergency call (EMG-04). What the Request-URI says is read at sight, by the
dial plans of all customers. Such a call then goes the way of all others: it is asked for the password, and the right
one lifts the ban.

The door is no hole: a plain number is passed over at a glance, so many others of each source are looked at, and so many
of all sources together come in.
"""

import re

from sipguard.errors import MalformedValue
from sipguard.policy.directory import Directory
from sipguard.policy.trunk import Side
from sipguard.policy.view import View
from sipguard.proxy.urgency import means_help
from sipguard.stir.telephone_number import DialPlan
from sipguard.traffic.gcra import Gcra
from sipguard.traffic.limit import CallLimit

_METHOD = b"INVITE "
# A number that is none for help anywhere. Ten digits are one, as North America calls, but for those that may begin with
# an outside line (0, 8, 9) and an international prefix (0...).
_PLAIN = re.compile(rb"INVITE (?:sips?|tel):(?:\+?[0-9]{11,}|[1-7][0-9]{9}|[89][1-9][0-9]{8})[@; ]")
_LONGEST = 256  # octets of a Request-URI; what dials an emergency number is short
# A call is two INVITEs, before and after it is asked for the password, and as often as they are repeated. Guessing
# passwords here is no faster than where nobody is banned (``digest_failures``).
_OF_SOURCE = CallLimit(rate=1 / 3, burst=10)
_OF_ALL = CallLimit(rate=20.0, burst=40)
_SOURCES = 10_000  # remembered
_ALL = ("all", "")


class EmergencyDoor:
    """Who may come in although banned. Times are monotonic seconds."""

    __slots__ = ("_plans", "_read_from", "_spent")

    def __init__(self) -> None:
        self._spent = Gcra(_SOURCES)
        self._read_from: Directory | None = None  # what the next was made of
        self._plans: tuple[DialPlan, ...] = ()

    def admits(self, data: bytes, host: str, view: View, now: float) -> bool:
        """Whether a message of a banned stranger is an INVITE for help that may come in; it is counted then."""
        if not data.startswith(_METHOD) or _PLAIN.match(data) or not view.directory.asks_credentials:
            return False
        key = ("source", host)
        if not self._spent.admits(key, _OF_SOURCE, now):
            return False
        self._spent.spend(key, _OF_SOURCE, now)
        end = data.find(b" ", len(_METHOD), len(_METHOD) + _LONGEST)
        uri = data[len(_METHOD) : end].decode("latin-1") if end > 0 else ""
        try:
            if not uri or not means_help(uri, self._plans_of(view.directory), view.policy.emergency_numbers):
                return False
        except MalformedValue:
            return False
        if not self._spent.admits(_ALL, _OF_ALL, now):
            return False
        self._spent.spend(_ALL, _OF_ALL, now)
        return True

    def _plans_of(self, directory: Directory) -> tuple[DialPlan, ...]:
        """The dial plans of customers; collected once for each directory."""
        if self._read_from is not directory:
            self._read_from = directory
            customers = (trunk for trunk in directory.trunks.values() if trunk.side is Side.CUSTOMER)
            self._plans = tuple(dict.fromkeys(trunk.dial_plan for trunk in customers))
        return self._plans
