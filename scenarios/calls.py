"""The demo's calls: what each sends, and what has to come of it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from scenarios import topology as world
from scenarios.passport import OtherCarrier, tampered

PASSED, FAILED, NONE = "TN-Validation-Passed", "TN-Validation-Failed", "No-TN-Validation"


class Outcome(NamedTuple):
    """What came of a call: where it was delivered ("refused": nowhere), final code, the deciding rule, its mark.

    The mark is the attestation it left with, checked at the carrier, or the verstat it arrived with at the customer.
    """

    where: str
    code: int
    rule: str
    mark: str = "-"
    alert: bool = False


@dataclass(frozen=True, slots=True)
class Planned:
    """One call: its title, what is sent in a few words, who sends it, and the outcome it must have."""

    title: str
    sent: str
    source: str
    keys: Mapping[str, str]
    expected: Outcome
    calling: str = ""  # the number the signature must vouch for
    called: str = ""

    @property
    def flow(self) -> str:
        """The SIPp flow that plays it."""
        if self.expected.code != 200:
            return "refused_uac"
        return "network_uac" if self.source in (world.STRICT, world.LENIENT) else "customer_uac"


def _keys(calling: str, called: str, *headers: str, from_: str | None = None) -> dict[str, str]:
    user = f"+{called}" if len(called) > 3 else called
    return {
        "request_uri": f"sip:{user}@sipguard.example",
        "to": f"<sip:{user}@sipguard.example>",
        "from": from_ or f"<sip:+{calling}@pbx.example>",
        "headers": "".join(f"\r\n{header}" for header in headers),
    }


def _asserted(number: str) -> str:
    return f"P-Asserted-Identity: <sip:+{number}@pbx.example>"


def _outbound(title: str, sent: str, keys: dict[str, str], expected: Outcome, **more: str) -> Planned:
    return Planned(title, sent, more.pop("source", world.ACME), keys, expected, **more)


def origination() -> list[Planned]:
    """Calls from customers."""
    w, called = world, world.OUTSIDE
    hidden = '"Anonymous" <sip:anonymous@anonymous.invalid>'
    return [
        _outbound("owned number", "From a number of its own", _keys(w.OWNED, called),
                  Outcome("conversational", 200, "caller-id owned", "A"), calling=w.OWNED, called=called),
        _outbound("verified number", "From a number it has verified", _keys(w.VERIFIED, called),
                  Outcome("conversational", 200, "caller-id verified", "B"), calling=w.VERIFIED, called=called),
        _outbound("forged From", "From somebody else's number", _keys(w.FORGED, called),
                  Outcome("refused", 403, "caller-id.not-owned")),
        _outbound("forged PAI", "From owned, PAI somebody else's", _keys(w.OWNED, called, _asserted(w.FORGED)),
                  Outcome("refused", 403, "caller-id.asserted-not-owned")),
        _outbound("anonymous", "From anonymous, Privacy: id, PAI owned",
                  _keys("", called, _asserted(w.OWNED), "Privacy: id", from_=hidden),
                  Outcome("conversational", 200, "caller-id owned", "A"), calling=w.OWNED, called=called),
        _outbound("911 unprovisioned", "911 from a number not registered", _keys(w.OWNED, "911"),
                  Outcome("refused", 403, "emergency.unprovisioned", alert=True)),
        _outbound("911 provisioned", "911 from a registered number", _keys(w.PROVISIONED, "911"),
                  Outcome("emergency", 200, "emergency registered", "A"), calling=w.PROVISIONED, called="911"),
        _outbound("do not originate", "From its inbound-only number", _keys(w.INBOUND_ONLY, called),
                  Outcome("refused", 403, "caller-id.do-not-originate")),
        _outbound("suspended account", "From its own number", _keys(w.SLEEPING, called),
                  Outcome("refused", 403, "account.suspended"), source=w.DORMANT),
        _outbound("unknown source", "From an address of no trunk", _keys(w.OWNED, called),
                  Outcome("refused", 403, "source.unknown"), source=w.STRANGER),
    ]  # fmt: skip


def termination(carrier: OtherCarrier) -> list[Planned]:
    """Calls from the network to a number of acme's."""
    friend, called, now = world.FRIEND, world.OWNED, int(time.time())
    good = carrier.identity(friend, called, now)
    stale = carrier.identity(friend, called, now - 600)
    elsewhere = carrier.identity(friend, world.OUTSIDE, now)
    rows = (
        ("valid PASSporT", "signed by another carrier", world.STRICT, good, Outcome("acme-pbx", 200, "verify", PASSED)),
        ("tampered, strict", "claims changed after signing", world.STRICT, tampered(good),
         Outcome("refused", 438, "stir.signature")),
        ("tampered, lenient", "the same by a trunk set to tag", world.LENIENT, tampered(good),
         Outcome("acme-pbx", 200, "verify", FAILED)),
        ("unsigned", "no Identity header", world.STRICT, None, Outcome("acme-pbx", 200, "verify", NONE)),
        ("stale", "signed ten minutes ago", world.STRICT, stale, Outcome("refused", 403, "stir.stale")),
        ("for another number", "signed for another called number", world.STRICT, elsewhere,
         Outcome("refused", 438, "stir.dest-mismatch")),
    )  # fmt: skip
    return [
        Planned(title, sent, source, _keys(friend, called, *([f"Identity: {identity}"] if identity else [])), expected)
        for title, sent, source, identity, expected in rows
    ]


def after_the_burst() -> Planned:
    """A call of the account that has just been robo-dialing."""
    return _outbound("after the burst", "an ordinary call of that account", _keys(world.DIALER, world.OUTSIDE),
                     Outcome("segregated", 200, "robodial dialer", "A"),
                     source=world.DIALCO, calling=world.DIALER, called=world.OUTSIDE)  # fmt: skip
