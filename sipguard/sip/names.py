"""Header field names: any spelling to the canonical lower-case long form, and back to the usual spelling.

RFC 3261 §7.3.1 and §7.3.3; compact forms from the IANA registry, ``y`` for Identity from RFC 8224 §13.1.
"""

COMPACT_FORMS = {
    "a": "accept-contact",
    "b": "referred-by",
    "c": "content-type",
    "d": "request-disposition",
    "e": "content-encoding",
    "f": "from",
    "i": "call-id",
    "j": "reject-contact",
    "k": "supported",
    "l": "content-length",
    "m": "contact",
    "o": "event",
    "r": "refer-to",
    "s": "subject",
    "t": "to",
    "u": "allow-events",
    "v": "via",
    "x": "session-expires",
    "y": "identity",
}

_USUAL_SPELLINGS = (  # noqa: SIM905 - as a list of literals it would fill a page
    "Via From To Call-ID CSeq Contact Max-Forwards Route Record-Route Content-Type Content-Length Content-Encoding "
    "Identity Date P-Asserted-Identity P-Preferred-Identity Remote-Party-ID Privacy Diversion History-Info Supported "
    "Require Proxy-Require Allow Allow-Events Accept User-Agent Server Reason Warning Retry-After Timestamp Subject "
    "Session-Expires Min-SE Expires Refer-To Referred-By Event Organization Unsupported Attestation-Info "
    "Origination-ID P-Charge-Info Resource-Priority Priority Geolocation Geolocation-Routing Authorization "
    "Proxy-Authorization WWW-Authenticate Proxy-Authenticate Accept-Contact Reject-Contact Request-Disposition "
    "RSeq RAck In-Reply-To MIME-Version Call-Info Alert-Info"
).split()

_DISPLAY = {name.lower(): name for name in _USUAL_SPELLINGS}
KNOWN_SPELLINGS = {spelling: name for name, usual in _DISPLAY.items() for spelling in (name, usual, usual.upper())}
for _compact, _name in COMPACT_FORMS.items():
    KNOWN_SPELLINGS[_compact] = KNOWN_SPELLINGS[_compact.upper()] = _name

# What nearly every message is made of, and nothing that says who calls, how urgent it is, or what to conceal.
EVERYDAY = frozenset((
    "via", "from", "to", "call-id", "cseq", "contact", "max-forwards", "max-breadth", "route", "record-route",
    "content-type", "content-length", "user-agent", "server", "allow", "allow-events", "accept", "supported", "require",
    "session-expires", "min-se", "expires", "timestamp", "rseq", "rack",
))  # fmt: skip


def canonical_name(spelling: str) -> str:
    """The lower-case long form of a header field name; white space before the colon is tolerated (HCOLON)."""
    known = KNOWN_SPELLINGS.get(spelling)
    if known is not None:
        return known
    name = spelling.rstrip(" \t")
    return KNOWN_SPELLINGS.get(name) or COMPACT_FORMS.get(name.lower()) or name.lower()


def display_name(name: str) -> str:
    """The usual spelling of a canonical name; an unknown one is capitalised word by word."""
    return _DISPLAY.get(name) or "-".join(part.capitalize() for part in name.split("-"))
