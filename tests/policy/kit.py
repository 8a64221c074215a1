"""What policy tests share: requests, a small directory, and a view whose signer and verifier play a part."""

from dataclasses import dataclass, field, replace

from sipguard.policy.account import Account, AccountState
from sipguard.policy.call import Call
from sipguard.policy.directory import Directory
from sipguard.policy.number_book import NumberBook
from sipguard.policy.right import EmergencyRegistration, ListEntry, NumberRight, RightKind
from sipguard.policy.settings import PolicySettings
from sipguard.policy.trunk import Side, Target, TrafficClass, Trunk
from sipguard.policy.view import View
from sipguard.sip.flow import Flow
from sipguard.sip.message import Request
from sipguard.sip.parser import parse
from sipguard.stir.generations import Generations
from sipguard.stir.telephone_number import DialPlan
from sipguard.stir.verdict import HeaderResult, Reason, Verdict, Verstat
from sipguard.traffic.book import TrafficBook
from sipguard.traffic.profile import Profile

NOW = 1_764_000_000  # Mon, 24 Nov 2025 16:00:00 GMT
DATE = "Mon, 24 Nov 2025 16:00:00 GMT"
OWNED, VERIFIED, DELEGATED, PARENTS = "14155550100", "14155550101", "14155550102", "14155550103"
FOREIGN, LISTED, EXPIRED = "14155550199", "14155550104", "14155550105"

GERMANY = DialPlan("DE", "49", "0", "00", (6, 7, 8, 9, 10, 11))
FRANCE = DialPlan("FR", "33", "0", "00", (9,))
BRITAIN = DialPlan("GB", "44", "0", "00", (9, 10))
INDIA = DialPlan("IN", "91", "0", "00", (10,))
BRAZIL = DialPlan("BR", "55", "0", "00", (10, 11))
AUSTRALIA = DialPlan("AU", "61", "0", "0011", (9,))
AMERICA = DialPlan()

CUSTOMER = Trunk(
    "acme-pbx", Side.CUSTOMER, account="acme", default_number=OWNED, targets=(Target("sip:pbx", "udp", "pbx", 5060),)
)
CONVERSATIONAL = Trunk("carrier", Side.NETWORK, targets=(Target("sip:carrier", "udp", "carrier", 5060),), trusted=True)
DIALER = replace(CONVERSATIONAL, name="dialer-carrier", classes=frozenset((TrafficClass.DIALER,)))
EMERGENCY = replace(CONVERSATIONAL, name="emergency-carrier", classes=frozenset((TrafficClass.EMERGENCY,)))

ACME = Account("acme", path=("operator", "reseller", "acme"))


class FakeSigner:
    """Signs by writing down what it was asked to sign; fails or is expired on demand."""

    name = "default"
    serial = "01"
    issued = 0
    url = "https://certificates.example/leaf.pem"
    spc = "1234"
    numbers: tuple[object, ...] | None = None  # that its certificate lists
    failure_beside: Exception | None = None  # of tokens other than SHAKEN's

    def __init__(self, failure: Exception | None = None, not_after: int = NOW + 1000) -> None:
        self.failure = failure
        self.not_after = not_after
        self.signed: list[tuple[object, ...]] = []

    def valid_at(self, moment: int) -> bool:
        return moment <= self.not_after

    def covers(self, tn: object) -> bool:
        return self.numbers is None or tn in self.numbers

    def sign_shaken(self, orig, dest, attest, origid, iat, media_keys=()) -> str:
        if self.failure is not None:
            raise self.failure
        self.signed.append((orig, tuple(dest), attest, origid, iat, *media_keys))
        return "token;info=<url>;alg=ES256;ppt=shaken"

    def signature(self, signing_input: str) -> str:
        if self.failure_beside is not None:
            raise self.failure_beside
        return "signature"


class FakeVerification:
    """Gives the verdicts it was told to, in turn, and remembers what it was asked."""

    def __init__(self, *verdicts: object) -> None:
        self.verdicts = list(verdicts)
        self.asked: list[tuple[object, ...]] = []

    def verify(self, identities, signalling, cache, now, unavailable=frozenset()):
        self.asked.append((tuple(identities), signalling, now, unavailable))
        return self.verdicts.pop(0) if len(self.verdicts) > 1 else self.verdicts[0]


class FakeOrigids:
    """An origid that says what it was made of."""

    def of(self, account: str, traffic_class: str) -> str:
        return f"{account}/{traffic_class}"

    def of_call(self, identifier: str) -> str:
        return f"call/{identifier}"


def failed(reason: Reason) -> Verdict:
    """A verdict with one bad header."""
    verstat = (
        Verstat.NONE
        if reason in (Reason.MISSING, Reason.UNSUPPORTED_PPT, Reason.CERTIFICATE_UNAVAILABLE)
        else Verstat.FAILED
    )
    result = HeaderResult(reason=reason)
    return Verdict(verstat, (result,), result)


def passed() -> Verdict:
    """A verdict with one good header."""
    result = HeaderResult(ppt="shaken", attest="A")
    return Verdict(Verstat.PASSED, (result,), result)


def invite(
    uri: str = "sip:+14155550150@proxy.example",
    from_: str = f"<sip:+{OWNED}@pbx.example>",
    to: str | None = None,
    *headers: str,
    method: str = "INVITE",
) -> Request:
    """A request with these start line, From and To (the same as the Request-URI unless given), and more header rows."""
    rows = (
        f"{method} {uri} SIP/2.0",
        "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1",
        "Max-Forwards: 70",
        f"From: {from_};tag=1",
        f"To: {to if to is not None else f'<{uri}>'}",
        "Call-ID: 1@pbx.example",
        f"CSeq: 1 {method}",
        *headers,
        "Content-Length: 0",
    )
    request = parse(("\r\n".join(rows) + "\r\n\r\n").encode("latin-1"))
    assert isinstance(request, Request)
    return request


def call_of(request: Request | None = None, trunk: Trunk = CUSTOMER, account: Account | None = ACME) -> Call:
    """A call as the chain gets it."""
    return Call("call-1", request or invite(), Flow(0, "udp", "192.0.2.1", 5060), NOW, trunk, account)


def directory(**changes: object) -> Directory:
    """A directory with one account that has one number of each kind of right, and three egress trunks."""
    parts: dict[str, object] = {
        "accounts": (ACME, Account("reseller", path=("operator", "reseller"))),
        "trunks": (CUSTOMER, CONVERSATIONAL, DIALER, EMERGENCY),
        "rights": (
            (OWNED, NumberRight("acme", RightKind.OWNED, end_user="acme/sales")),
            (VERIFIED, NumberRight("acme", RightKind.VERIFIED)),
            (DELEGATED, NumberRight("acme", RightKind.DELEGATED)),
            (PARENTS, NumberRight("reseller", RightKind.OWNED)),
            (LISTED, NumberRight("acme", RightKind.OWNED)),
            (EXPIRED, NumberRight("acme", RightKind.OWNED, expires=NOW)),
            (FOREIGN, NumberRight("other", RightKind.OWNED)),
        ),
        "emergency": (EmergencyRegistration(OWNED, "acme", "US", "registered", paid=True),),
        "listed": (ListEntry(LISTED), ListEntry("1999XXXXXXX", expires=NOW + 1)),
    }
    parts |= changes
    said = {name: parts.pop(name) for name in ("rights", "emergency", "listed")}
    return Directory(numbers=NumberBook.of(**said), **parts)


@dataclass
class Parts:
    """The parts of a view that tests replace."""

    directory: Directory = field(default_factory=directory)
    policy: PolicySettings = field(default_factory=PolicySettings)
    signer: FakeSigner | None = field(default_factory=FakeSigner)
    verification: FakeVerification = field(default_factory=lambda: FakeVerification(passed()))
    traffic: TrafficBook = field(default_factory=lambda: TrafficBook(Profile()))

    def view(self) -> View:
        """The view over them."""
        signers = {} if self.signer is None else {"default": Generations("default", [self.signer])}
        return View(
            directory=self.directory,
            policy=self.policy,
            signers=signers,
            origids=FakeOrigids(),
            verification=self.verification,
            certificates=None,
            traffic=self.traffic,
        )


def view_of(**parts: object) -> View:
    """A view with these parts."""
    return Parts(**parts).view()


def tagged_book(account: str = "acme") -> TrafficBook:
    """A traffic book in which the account is tagged."""
    book = TrafficBook(Profile())
    book.restore([{"account": account, "points": 6.0, "reasons": ["short-calls", "volume"], "features": {}}])
    return book


def in_state(state: AccountState, **changes: object) -> Account:
    """The account in another state."""
    return replace(ACME, state=state, **changes)
