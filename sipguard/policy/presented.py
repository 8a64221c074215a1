"""The caller numbers a request presents: what its From and identity header fields say, in canonical form.

Read the same way by every stage that needs them, so that what is screened, what is verified and what an emergency
centre is told cannot differ. A field that names the same number twice (PAI as sip and as tel) presents it once.
"""

from typing import NamedTuple

from sipguard.errors import MalformedValue
from sipguard.sip.address import Address, parse_address
from sipguard.sip.message import Request
from sipguard.sip.uri import SipUri, Uri, parse_uri, unescape
from sipguard.stir.telephone_number import TN, DialPlan, tn_of_uri

ASSERTED = "p-asserted-identity"
PREFERRED = "p-preferred-identity"
REMOTE_PARTY = "remote-party-id"

_ANONYMOUS_NAMES = frozenset(("anonymous", "restricted", "unavailable"))
_ANONYMOUS_HOST = "anonymous.invalid"  # RFC 3323 §4.1.1.3


class Presented(NamedTuple):
    """One presented identity: its canonical number (None: it holds none), and whether it asks for anonymity.

    ``numeric`` tells a broken number from a name: something that starts like a number but cannot be read as one.
    """

    tn: TN | None
    anonymous: bool = False
    numeric: bool = False


def from_identity(request: Request, plan: DialPlan) -> Presented:
    """What From presents. Raises MalformedValue."""
    return _presented(request.from_, plan)


def identities(request: Request, field: str, plan: DialPlan) -> list[Presented]:
    """What each value of an identity header field presents. Raises MalformedValue when one does not parse.

    Remote-Party-ID values about the called party say nothing about the caller and are left out.
    """
    if not request.has(field):
        return []
    addresses = [parse_address(value) for value in request.listed(field)]
    if not addresses:
        raise MalformedValue(f"empty {field}")
    return [
        _presented(address, plan)
        for address in addresses
        if field != REMOTE_PARTY or (address.parameters.get("party") or "calling").lower() == "calling"
    ]


def number_of(address: Address, plan: DialPlan) -> TN | None:
    """The canonical number of one address. Raises MalformedValue."""
    return tn_of_uri(parse_uri(address.uri), plan)


def numbers(request: Request, field: str, plan: DialPlan) -> tuple[TN, ...]:
    """The canonical numbers of an identity header field, none twice; none at all when the field does not parse."""
    try:
        return unique(identities(request, field, plan))
    except MalformedValue:
        return ()


def from_number(request: Request, plan: DialPlan) -> TN | None:
    """The canonical number of From; None when there is none or it does not parse."""
    try:
        return from_identity(request, plan).tn
    except MalformedValue:
        return None


def unique(presented: list[Presented]) -> tuple[TN, ...]:
    """The numbers among presented identities, in order, none twice."""
    return tuple(dict.fromkeys(identity.tn for identity in presented if identity.tn is not None))


def _presented(address: Address, plan: DialPlan) -> Presented:
    uri = parse_uri(address.uri)
    tn = tn_of_uri(uri, plan)
    user = unescape(uri.user_number) if isinstance(uri, SipUri) and uri.user else ""
    return Presented(tn, _is_anonymous(address.display, uri, user), tn is None and _starts_like_a_number(uri, user))


def _is_anonymous(display: str | None, uri: Uri, user: str) -> bool:
    if isinstance(uri, SipUri) and (uri.host == _ANONYMOUS_HOST or user.lower() in _ANONYMOUS_NAMES):
        return True
    return display is not None and display.strip(" \t").lower() in _ANONYMOUS_NAMES


def _starts_like_a_number(uri: Uri, user: str) -> bool:
    """Letters in place of digits, too many digits, a plus without a country: a number in disguise, not a name."""
    if not isinstance(uri, SipUri):
        return True
    return user[:1] in tuple("+0123456789(")
