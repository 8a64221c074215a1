"""Calls that a customer forwards back into the network: what licenses them, and how they are signed (RFC 8946)."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import jwt
import pytest

from sipguard.policy.account import Account
from sipguard.policy.directory import Directory
from sipguard.policy.forwarding import Forwarding
from sipguard.policy.need import Answer, CertificateNeed
from sipguard.policy.number_book import NumberBook
from sipguard.policy.right import NumberRight, RightKind
from sipguard.policy.rules import Mode
from sipguard.policy.settings import ForwardingSettings, PolicySettings
from sipguard.policy.unprovisioned import Unprovisioned
from sipguard.sip.date import format_date
from sipguard.sip.message import Request
from sipguard.stir.authentication import Signer, load_signer
from sipguard.stir.generations import Generations
from sipguard.stir.media_key import fingerprints
from sipguard.stir.passport_writer import sign_div, sign_rph
from sipguard.stir.telephone_number import TN
from sipguard.stir.tn_auth_list import TnAuthList
from sipguard.stir.unix_time import UnixTime
from sipguard.stir.verification import VerificationService, VerificationSettings
from sipguard.testing.sample import CARRIER_A, CERTIFICATE_URL, OWNED, PROXY, RESCUE, VERIFIED, WALL, changed, invite
from sipguard.testing.sti_ca import Shape
from tests.flows.stage import Stage

CALLER, TARGET, FIRST, STRANGER = "13125550777", "16465550142", "13125550100", "13125550999"
ORIGID = "7f1f9a4e-0000-4000-8000-000000000001"
CARRIERS_URL = "https://certificates.example.net/carrier.pem"
DIVERSION = f"Diversion: <sip:+{OWNED}@192.0.2.11>;reason=no-answer;counter=1"
NOT_OWNED = "caller-id.not-owned"


@dataclass
class Play:
    """A stage on which ``acme-pbx`` may forward, and the provider of its callers, which signs with its own."""

    forwarding: Forwarding = Forwarding.PASSPORT
    policy: PolicySettings = field(default_factory=PolicySettings)
    fetched: bool = True

    def __post_init__(self) -> None:
        """Both certificates are known."""
        self.stage = Stage(trunks=changed("acme-pbx", forwarding=self.forwarding), policy=self.policy)
        sample = self.stage.sample
        issued = sample.ca.issue()
        self.chain_pem = issued.chain_pem
        self.carrier: Signer = load_signer("carrier", issued.chain_pem, issued.key_pem, CARRIERS_URL, UnixTime(WALL))
        sample.certificate_arrives()
        if self.fetched:
            self.certificate_arrives()

    def certificate_arrives(self) -> None:
        """The caller's provider's certificate is in the cache from now on."""
        sample = self.stage.sample
        end = UnixTime(WALL + 86400)
        sample.certificates.store(CARRIERS_URL, self.chain_pem, end, UnixTime(WALL), sample.anchors)

    def shaken(self, orig: str = CALLER, dest: str = OWNED, iat: int = WALL, attest: str = "A") -> str:
        """The Identity header row the call came with."""
        return "Identity: " + self.carrier.sign_shaken(TN(orig), (TN(dest),), attest, ORIGID, UnixTime(iat))

    def div(self, before: str, after: str, orig: str = CALLER, iat: int = WALL) -> str:
        """The row of an earlier diversion."""
        return "Identity: " + sign_div(self.carrier, orig, [after], before, UnixTime(iat))

    def forward(self, *headers: str, **changes: Any) -> None:
        """The PBX sends the call on: to TARGET, as CALLER."""
        values = {"calling": CALLER, "called": TN(TARGET), "call_id": "forward-1@pbx", "headers": headers, **changes}
        self.stage.call(**values)

    @property
    def sent(self) -> Request:
        """The only call that left."""
        (request,) = self.stage.carrier.requests
        return request

    @property
    def record(self) -> dict[str, Any]:
        """The decision about the call that was forwarded."""
        return [item for item in self.stage.network.records if item.get("direction") == "origination"][-1]

    @property
    def found(self) -> list[Any]:
        """What the stage ``caller-id`` found."""
        return next(entry[1:] for entry in self.record["trail"] if entry[0] == "caller-id")


def ours(play: Play) -> list[dict[str, Any]]:
    """The claims of the PASSporTs that we added, verified by another implementation."""
    key: Any = play.stage.sample.signer.chain[0].public_key()
    tokens = [value.partition(";")[0] for value in play.sent.values("identity") if CERTIFICATE_URL in value]
    return [jwt.decode(token, key, algorithms=["ES256"], options={"verify_iat": False}) for token in tokens]


def broken(row: str) -> str:
    """The row with two octets of its signature changed."""
    token, semicolon, parameters = row.partition(";")
    return f"{token[:-4]}{'AA' if token[-4:-2] != 'AA' else 'BB'}{token[-2:]}{semicolon}{parameters}"


@pytest.mark.clause("policy: caller identity", "DIV-03", "DIV-02", "RFC 8946 4.1")
def test_a_signed_call_is_forwarded_with_a_diversion() -> None:
    """What it came with stays as it was, and one div of ours leads from the diverting number to where it goes now."""
    play = Play()
    row = play.shaken()
    play.forward(row, DIVERSION)
    first, second = play.sent.values("identity")
    assert f"Identity: {first}" == row
    assert second.endswith(f";info=<{CERTIFICATE_URL}>;alg=ES256;ppt=div")
    assert ours(play) == [
        {"dest": {"tn": [TARGET]}, "div": {"tn": OWNED}, "iat": WALL, "orig": {"tn": CALLER}}
    ]  # and no claim more
    assert CALLER in play.sent.required("from")
    assert play.found == ["pass", "no-right", "forwarded-by", OWNED, "passport"]
    assert (play.record["calling"]["effective"], play.record["calling"]["diverted_by"]) == (CALLER, OWNED)
    assert play.record["identity_sent"] == second
    assert "attest" not in play.record
    assert "reported" not in play.record
    play.stage.settle()


@pytest.mark.clause("DIV-06", "DIV-07", "DIV-15", "VS-17")
def test_another_node_follows_the_whole_chain() -> None:
    """A second engine, which the call reaches next, verifies what the first one sent, and refuses it without."""
    play = Play()
    play.forward(play.shaken(), DIVERSION)
    rows = [f"Identity: {value}" for value in play.sent.values("identity")]
    for headers, codes in ((rows, [100, 180, 200]), (rows[::-1], [100, 180, 200]), (rows[:1], [100, 438])):
        there = Stage(
            directory=Directory(
                accounts=[Account("acme", path=("acme",))],
                trunks=changed("carrier-a", on_failure="reject", require_identity=True),
                numbers=NumberBook.of(rights=[(TARGET, NumberRight("acme", RightKind.OWNED))], emergency=[], listed=[]),
            )
        )
        sample = play.stage.sample
        there.engine.reconfigure(
            replace(
                there.sample.view,
                verification=VerificationService(sample.anchors),
                certificates=sample.certificates,
            )
        )
        date = f"Date: {play.sent.required('date')}"
        there.arrives(called=TARGET, calling=CALLER, call_id=play.sent.call_id, headers=(*headers, date))
        assert there.carrier.codes == codes
        if len(headers) == 2:
            assert "TN-Validation-Passed" in there.pbx.requests[0].required("from")
            record = there.record("decision")
            assert (record["attest"], record["diversions"]) == ("A", [[OWNED, "TN-Validation-Passed"]])


@pytest.mark.clause("VS-12", "RFC 8224 12.1")
def test_the_token_was_seen_on_its_way_in() -> None:
    """The node verified the same token when the call came; it may go out with it once, and not twice.

    The call itself is forgotten by then.
    """
    play = Play(policy=PolicySettings(forwarding=ForwardingSettings(window=1.0)))
    row = play.shaken()
    play.stage.arrives(calling=CALLER, headers=(row,), call_id="in-1@carrier")
    assert "TN-Validation-Passed" in play.stage.pbx.requests[0].required("from")
    play.forward(row, DIVERSION)
    assert play.record["decision"] == "forward"
    play.forward(row, DIVERSION, call_id="forward-2@pbx")
    assert (play.record["decision"], play.record["rule"]) == ("refuse", NOT_OWNED)
    assert "(replayed)" in play.record["detail"]


@pytest.mark.clause("VS-12")
def test_a_token_leads_to_one_target() -> None:
    """The Call-ID of a forward that went through does not carry the token to somebody else."""
    play = Play()
    row = play.shaken()
    play.forward(row, DIVERSION)
    again = invite(calling=CALLER, called=TN("16465550143"), call_id="forward-1@pbx", headers=(row, DIVERSION))
    again.set("via", "SIP/2.0/UDP 192.0.2.11:5060;branch=z9hG4bKagain")
    again.set("cseq", "2 INVITE")
    play.stage.pbx.start(again)
    play.stage.network.run(2)
    assert play.record["called"]["to"] == "16465550143"
    assert play.record["rule"] == NOT_OWNED


@pytest.mark.clause("VS-12", "DIV-06", "RFC 8946 4.2")
def test_a_forwarded_call_that_comes_back_is_no_replay() -> None:
    """Its original was seen with another call, before the diversion: only the diversion must not be used again."""
    play = Play()
    rows = (play.shaken(dest=FIRST), play.div(FIRST, OWNED))
    seen = {"calling": CALLER, "called": FIRST, "uri": f"sip:+{OWNED}@{PROXY[0]};user=phone"}
    stage = play.stage
    stage.arrives(calling=CALLER, headers=(play.shaken(),), call_id="in-1@carrier")
    stage.arrives(headers=rows, call_id="in-2@carrier", **seen)
    stage.arrives(headers=(rows[0], play.div(FIRST, OWNED, iat=WALL + 1)), call_id="in-3@carrier", **seen)
    stage.arrives(headers=rows, call_id="in-4@carrier", **seen)
    verdicts = [(item["verstat"], item.get("verify_reason")) for item in stage.network.records if "verstat" in item]
    good = ("TN-Validation-Passed", None)
    assert verdicts == [good, good, good, ("TN-Validation-Failed", "replayed")]


@pytest.mark.clause("DIV-05", "DIV-10", "RFC 8946 3")
def test_a_call_that_was_diverted_to_us_before() -> None:
    """The chain that led here is followed, and one div continues it from the customer's own number."""
    play = Play()
    play.forward(play.div(FIRST, OWNED), play.shaken(dest=FIRST), DIVERSION + f", <sip:+{FIRST}@x>;reason=busy")
    (claims,) = ours(play)
    assert (claims["div"], claims["dest"]) == ({"tn": OWNED}, {"tn": [TARGET]})
    assert len(play.sent.values("identity")) == 3


@pytest.mark.clause("DIV-05")
def test_one_diversion_for_all_of_the_same_call() -> None:
    """A priority beside SHAKEN's, for the same two numbers, takes no second div."""
    play = Play()
    priority = "Identity: " + sign_rph(play.carrier, CALLER, [OWNED], ["ets.0"], UnixTime(WALL))
    play.forward(play.shaken(), priority, "Resource-Priority: ets.0", DIVERSION)
    assert len(ours(play)) == 1


FAULTS: dict[str, Callable[[Play], tuple[tuple[str, ...], str]]] = {
    "unsigned": lambda play: ((DIVERSION,), "missing"),
    "another called number": lambda play: ((play.shaken(dest=VERIFIED), DIVERSION), "dest-mismatch"),
    "another caller": lambda play: ((play.shaken(orig=STRANGER), DIVERSION), "orig-mismatch"),
    "stale": lambda play: ((play.shaken(iat=WALL - 61), DIVERSION), "stale"),
    "from the future": lambda play: ((play.shaken(iat=WALL + 61), DIVERSION), "stale"),
    "forged": lambda play: ((broken(play.shaken()), DIVERSION), "signature"),
    "malformed": lambda play: (("Identity: x", DIVERSION), "malformed-header"),
    "forged div": lambda play: ((play.shaken(dest=FIRST), broken(play.div(FIRST, OWNED)), DIVERSION), "signature"),
    "a div from elsewhere": lambda play: ((play.shaken(dest=STRANGER), play.div(FIRST, OWNED), DIVERSION), "diversion"),
    "a div that leads past us": lambda play: ((play.shaken(dest=FIRST), play.div(FIRST, VERIFIED), DIVERSION), "div"),
    "a div alone": lambda play: ((play.div(FIRST, OWNED), DIVERSION), "diversion"),
    "already diverted": lambda play: ((play.shaken(), play.div(OWNED, TARGET), DIVERSION), ""),
    "somebody else's diversion": lambda play: (
        (play.shaken(), f"Diversion: <sip:+{STRANGER}@x>"),
        f"calls to +{STRANGER} are not for account acme",
    ),
    "a number it only may present": lambda play: (
        (play.shaken(dest=VERIFIED), f"Diversion: <sip:+{VERIFIED}@x>"),
        f"calls to +{VERIFIED} are not for account acme",
    ),
    "an own diversion below": lambda play: (
        (play.shaken(), f"Diversion: <sip:+{STRANGER}@x>, <sip:+{OWNED}@x>"),
        f"calls to +{STRANGER} are not",
    ),
    "a name": lambda play: ((play.shaken(), "Diversion: <sip:sales@x>"), "nothing names the number"),
    "no diversion": lambda play: ((play.shaken(),), "is not assigned to account acme"),
    "unreadable": lambda play: ((play.shaken(), f"Diversion: <sip:+{OWNED}@x"), "because of Diversion"),
    "unreadable below": lambda play: ((play.shaken(), DIVERSION, "Diversion: <sip:x"), "because of Diversion"),
    "two stories": lambda play: (
        (
            play.shaken(),
            DIVERSION,
            f"History-Info: <sip:+{VERIFIED}@x>;index=1, <sip:+{TARGET}@x;cause=302>;index=1.1;mp=1",
        ),
        "Diversion and History-Info disagree",
    ),
    "a second stranger": lambda play: (
        (play.shaken(), DIVERSION, f"P-Asserted-Identity: <sip:+{STRANGER}@x>"),
        "is not assigned to account acme",
    ),
}


@pytest.mark.clause("policy: caller identity", "DIV-08", "DIV-09", "DIV-10", "RFC 8946 4.2")
@pytest.mark.parametrize("fault", FAULTS)
def test_what_does_not_license(fault: str) -> None:
    """Whatever is wrong with the evidence, the call is what it was without: refused, and the record says what lacks."""
    play = Play()
    headers, detail = FAULTS[fault](play)
    play.forward(*headers)
    if fault == "already diverted":  # a chain that goes on past us does no harm to the call as it reached us
        assert play.record["decision"] == "forward"
        return
    assert play.stage.pbx.codes[-1] == 403
    assert play.stage.carrier.requests == []
    assert play.record["rule"] == NOT_OWNED
    assert detail in play.record["detail"]


@pytest.mark.clause("policy: caller identity")
def test_no_trunk_forwards_unless_it_is_allowed_to() -> None:
    """By default the best evidence licenses nothing."""
    play = Play(Forwarding.REFUSE)
    play.forward(play.shaken(), DIVERSION)
    assert (play.record["rule"], play.record["code"]) == (NOT_OWNED, 403)


@pytest.mark.clause("DIV-01", "RFC 8946 3")
@pytest.mark.parametrize("user", [f"+{OWNED}", OWNED[1:], "(415)555-0100", "%2B14155550100"])
def test_a_call_to_the_same_number_is_not_diverted(user: str) -> None:
    """However the number is written, nothing leaves and no div is made."""
    play = Play(Forwarding.TRUST)
    play.forward(play.shaken(), DIVERSION, called=OWNED, uri=f"sip:{user}@{PROXY[0]};user=phone")
    assert play.record["rule"] == NOT_OWNED
    assert play.stage.carrier.requests == []


@pytest.mark.clause("DIV-09", "RFC 8946 4.2 step 4", "DIV-03")
def test_a_call_that_rang_for_long() -> None:
    """An operator may allow older originals; the div then has the new Date, and a recent iat is kept with the Date."""
    cases = (
        (20, (f"Date: {format_date(WALL - 20)}",), WALL - 20),
        (20, (), WALL),  # who adds a Date changes it
        (300, (f"Date: {format_date(WALL - 300)}",), WALL),
        (300, (f"Date: {format_date(WALL - 1)}",), WALL - 1),
    )
    for age, date, iat in cases:
        play = Play()
        view = play.stage.sample.view
        settings = VerificationSettings(original_window=600)
        service = VerificationService(play.stage.sample.anchors, settings)
        play.stage.engine.reconfigure(replace(view, verification=service))
        play.forward(play.shaken(iat=WALL - age), DIVERSION, *date)
        assert ours(play)[0]["iat"] == iat
        assert play.sent.has("date")


@pytest.mark.clause("DIV-13", "RFC 8946 8", "RFC 7044")
@pytest.mark.parametrize(
    ("history", "index"),
    [
        (f"<sip:+{OWNED}@x?Reason=SIP%3Bcause%3D302>;index=1.1, <sip:+{TARGET}@x>;index=1.1.1;mp=1.1", "1.1"),
        (f"<sip:+{OWNED}@x>;index=1, <sip:sales@x>;index=1.1;rc=1, <sip:+{TARGET}@x;cause=408>;index=1.2;mp=1", "1"),
        (f"<sip:+{FIRST}@x>;index=1, <sip:+{OWNED}@x;cause=302>;index=1.1, <tel:+{TARGET};cause=486>;index=1.1.1",
         "1.1"),
        (f"<sip:+{OWNED}@x>;index=2, <sip:+{TARGET}@x;cause=302>;index=3;rc=2", "2"),
    ],
)  # fmt: skip
def test_history_tells_the_diversion(history: str, index: str) -> None:
    """The entry that led here licenses like a Diversion, and the div names its index; with a Diversion beside, too."""
    for headers in ((), (DIVERSION,)):
        play = Play()
        play.forward(play.shaken(), f"History-Info: {history}", *headers)
        assert ours(play)[0]["div"] == {"hi": index, "tn": OWNED}
        assert play.sent.value("history-info") == history


@pytest.mark.clause("RFC 7044")
@pytest.mark.parametrize(
    "history",
    [
        f"<sip:+{OWNED}@x>;index=1, <sip:+{TARGET}@x>;index=1.1;rc=1",
        f"<sip:+{OWNED}@x>;index=1, <sip:+{TARGET}@x>;index=1.1",
        f"<sip:+{OWNED}@x>;index=1, <sip:+{STRANGER}@x;cause=302>;index=1.1;mp=1",
        f"<sip:+{TARGET}@x;cause=302>;index=1.1;mp=1, <sip:+{OWNED}@x>;index=1",
        f"<sip:+{OWNED}@x>;index=1, <sip:+{TARGET}@x;cause=302>;index=1.1;mp=2",
        f"<sip:+{OWNED}@x>;index=1, <sip:+{TARGET}@x;cause=302>;index=1;mp=1",
        f"<sip:+{OWNED}@x>;index=1, <sip:+{TARGET}@x;cause=302>;mp=1",
        f"<sip:+{OWNED}@x>;index=1, <sip:+{TARGET}@x;cause=302>;index=x;mp=1",
        f"<sip:+{OWNED}@x>;index=1, <sip:+{TARGET}@x;cause=302>;index=1.1;mp",
    ],
)
def test_history_that_tells_no_diversion(history: str) -> None:
    """A contact of the same user, another target, an entry that is not there: none of it licenses."""
    play = Play(Forwarding.TRUST)
    play.forward(f"History-Info: {history}")
    assert play.record["rule"] == NOT_OWNED


@pytest.mark.clause("AS-28", "CRT-25")
@pytest.mark.parametrize("comes", [True, False])
def test_the_certificate_is_fetched_first(comes: bool) -> None:
    """The call waits for the certificate of its caller's provider; without it there is no licence."""
    play = Play(fetched=False)
    play.forward(play.shaken(), DIVERSION)
    need = CertificateNeed(CARRIERS_URL)
    assert play.stage.network.asked == [need]
    assert play.stage.carrier.requests == []
    if comes:
        play.certificate_arrives()
    play.stage.network.answer(need, Answer(comes))
    play.stage.network.run(2)
    assert play.record["decision"] == ("forward" if comes else "refuse")
    if not comes:
        assert "(certificate-unavailable)" in play.record["detail"]
    play.stage.settle()


@pytest.mark.clause("DIV-04", "RFC 8946 3")
@pytest.mark.parametrize("outage", ["unsigned", "refuse"])
def test_only_who_may_sign_for_the_diverting_number_does(outage: str) -> None:
    """A certificate for other numbers makes no div: the call leaves as it came, with an alarm, or is refused."""
    play = Play(policy=PolicySettings(sign_outage=outage))
    sample = play.stage.sample
    numbers = TnAuthList((), (), (TARGET,))
    issued = sample.ca.issue(Shape(entries=numbers))
    signer = load_signer("other", issued.chain_pem, issued.key_pem, CERTIFICATE_URL, UnixTime(WALL))
    view = replace(sample.view, signers={"default": Generations("default", [signer])})
    play.stage.engine.reconfigure(view)
    row = play.shaken()
    play.forward(row, DIVERSION)
    assert any(log.event == ("signing.outage" if outage == "unsigned" else "alert") for log in play.stage.network.logs)
    if outage == "refuse":
        assert play.record["rule"] == "sign.outage"
    else:
        assert [f"Identity: {value}" for value in play.sent.values("identity")] == [row]


@pytest.mark.clause("DIV-02", "AS-22", "ATIS-1000074 5.2.3")
def test_a_trusted_trunk_forwards_unsigned_calls() -> None:
    """Without an Identity there is no div: SHAKEN's PASSporT for the caller says B, and the record who forwarded."""
    play = Play(Forwarding.TRUST)
    play.forward(DIVERSION)
    (claims,) = ours(play)
    assert (claims["attest"], claims["orig"], claims["dest"]) == ("B", {"tn": CALLER}, {"tn": [TARGET]})
    assert play.found == ["pass", "no-right", "forwarded-by", OWNED, "trust"]
    assert ["attest", "B", "forwarded"] in play.record["trail"]
    assert play.record["calling"]["diverted_by"] == OWNED


@pytest.mark.clause("DIV-02", "VS-01")
def test_a_trusted_trunk_is_no_less_strict_about_signatures() -> None:
    """A good Identity gets its div there too; a bad one stays beside our own PASSporT, and no div vouches for it."""
    play = Play(Forwarding.TRUST)
    play.forward(play.shaken(), DIVERSION)
    assert [set(claims) for claims in ours(play)] == [{"dest", "div", "iat", "orig"}]
    play = Play(Forwarding.TRUST)
    play.forward(play.shaken(dest=STRANGER), DIVERSION)
    assert [claims["attest"] for claims in ours(play)] == ["B"]
    assert len(play.sent.values("identity")) == 2


@pytest.mark.clause("policy: caller identity")
@pytest.mark.parametrize("forwarding", [Forwarding.TRUST, Forwarding.PASSPORT])
@pytest.mark.parametrize("stranger", [STRANGER, VERIFIED])
def test_no_trust_in_a_number_that_calls_do_not_arrive_at(forwarding: Forwarding, stranger: str) -> None:
    """Diversion from anybody else's number licenses nothing."""
    play = Play(forwarding)
    play.forward(f"Diversion: <sip:+{stranger}@x>")
    assert play.record["rule"] == NOT_OWNED


@pytest.mark.clause("PRV-11", "PRV-03", "AS-23")
def test_an_anonymous_caller() -> None:
    """Its number is in P-Asserted-Identity: licensed by it, and hidden from a stranger as before."""
    anonymous = '"Anonymous" <sip:anonymous@anonymous.invalid>'
    rows = (f"P-Asserted-Identity: <sip:+{CALLER}@192.0.2.11>", "Privacy: id")
    play = Play()
    play.forward(play.shaken(), DIVERSION, *rows, from_value=anonymous)
    assert not play.sent.has("p-asserted-identity")
    assert "anonymous.invalid" in play.sent.required("from")
    assert ours(play)[0]["orig"] == {"tn": CALLER}
    assert play.found[-1] == "anonymous"
    play = Play(Forwarding.TRUST)
    play.forward(DIVERSION, from_value=anonymous)
    assert play.record["rule"] == "caller-id.missing"


@pytest.mark.clause("AS-23")
def test_the_caller_counts_and_not_the_pbx() -> None:
    """A PBX that asserts its own number beside the caller's: who is shown, signed and on record is the caller."""
    play = Play()
    play.forward(play.shaken(), DIVERSION, f"P-Asserted-Identity: <sip:+{OWNED}@192.0.2.11>")
    assert play.record["calling"]["effective"] == CALLER
    assert play.sent.required("p-asserted-identity") == f"<sip:+{CALLER}@{PROXY[0]};user=phone>"


@pytest.mark.clause("policy: caller identity")
@pytest.mark.parametrize("forwarding", Forwarding)
def test_a_call_that_this_node_delivered(forwarding: Forwarding) -> None:
    """An unsigned call that came here may be forwarded from the number it came to, by its caller only, and in time."""
    licensed = forwarding in (Forwarding.DELIVERED, Forwarding.TRUST)
    play = Play(forwarding)
    play.stage.arrives(calling=CALLER, call_id="in-1@carrier")
    play.forward(DIVERSION)
    assert (play.record["decision"] == "forward") is licensed
    if forwarding is not Forwarding.DELIVERED:
        return
    assert play.found == ["pass", "no-right", "forwarded-by", OWNED, "delivered"]
    assert [claims["attest"] for claims in ours(play)] == ["B"]
    others = (
        {"calling": STRANGER},
        {"headers": (f"Diversion: <sip:+{VERIFIED}@x>",)},
        {"headers": ("Diversion: <sip:+14155550199@x>",)},
        {"headers": ()},
    )
    for number, changes in enumerate(others):
        values = {"calling": CALLER, "called": TN(TARGET), "headers": (DIVERSION,), **changes}
        play.stage.call(call_id=f"other-{number}@pbx", **values)
        assert play.record["rule"] == NOT_OWNED
    play.stage.network.run(180)
    play.forward(DIVERSION, call_id="late@pbx")
    assert play.record["rule"] == NOT_OWNED
    play.stage.settle()


@pytest.mark.clause("DIV-02", "DIV-03", "RFC 8946 4.1", "VS-12")
@pytest.mark.parametrize("forwarding", [Forwarding.PASSPORT, Forwarding.DELIVERED, Forwarding.TRUST])
def test_what_the_call_came_with_is_put_back(forwarding: Forwarding) -> None:
    """A PBX that forgets Identity: the PASSporTs that were good when the call came are there again, under our div."""
    play = Play(forwarding)
    rows = (play.shaken(dest=FIRST), play.div(FIRST, OWNED), broken(play.shaken()))
    uri = f"sip:+{OWNED}@{PROXY[0]};user=phone"
    play.stage.arrives(calling=CALLER, called=FIRST, uri=uri, headers=rows, call_id="in-1@carrier")
    play.forward(DIVERSION)
    added, *restored = play.sent.values("identity")
    assert [f"Identity: {value}" for value in restored] == list(rows[:2])
    assert ours(play)[0]["div"] == {"tn": OWNED}
    assert ["sign", "signed", "div", "restored"] in play.record["trail"]
    assert (play.record["identity_sent"], play.record["identities_beside"]) == (added, restored)
    assert play.found[-1] == "passport"


@pytest.mark.clause("policy: caller identity", "VS-12")
@pytest.mark.parametrize("kept", [True, False])
def test_a_pbx_that_hunts(kept: bool) -> None:
    """A call that was delivered leads to a few others and no more, whether the PBX keeps Identity or not."""
    play = Play(policy=PolicySettings(forwarding=ForwardingSettings(forwards=3)))
    row = play.shaken()
    play.stage.arrives(calling=CALLER, headers=(row,), call_id="in-1@carrier")
    headers = (row, DIVERSION) if kept else (DIVERSION,)
    for number in range(5):
        play.stage.call(
            calling=CALLER, called=TN(f"1646555014{number}"), call_id=f"forward-{number}@pbx", headers=headers
        )
    assert [request.to.uri[5:16] for request in play.stage.carrier.requests] == [
        f"1646555014{number}" for number in range(3)
    ]
    assert "as often as it may be" in play.record["detail"]


@pytest.mark.clause("DIV-02", "VS-17")
def test_what_was_signed_for_another_number_is_not_put_back() -> None:
    """Somebody without a certificate retargeted the call to us: To vouches for it here, and no div could lead on."""
    for forwarding, decision in ((Forwarding.PASSPORT, "refuse"), (Forwarding.DELIVERED, "forward")):
        play = Play(forwarding)
        uri = f"sip:+{OWNED}@{PROXY[0]};user=phone"
        row = play.shaken(dest=FIRST)
        play.stage.arrives(calling=CALLER, called=FIRST, uri=uri, headers=(row,), call_id="in-1@carrier")
        assert play.stage.record("decision")["verstat"] == "TN-Validation-Passed"
        play.forward(DIVERSION)
        assert play.record["decision"] == decision
        if decision == "forward":
            assert [claims["attest"] for claims in ours(play)] == ["B"]


@pytest.mark.clause("VS-17")
@pytest.mark.parametrize(("copies", "decision"), [(5, "forward"), (30, "refuse")])
def test_little_is_kept_of_a_call(copies: int, decision: str) -> None:
    """A caller's provider that signs at length fills no memory: its call counts as one that came unsigned."""
    play = Play()
    play.stage.arrives(calling=CALLER, headers=(play.shaken(),) * copies, call_id="in-1@carrier")
    assert play.stage.record("decision")["verstat"] == "TN-Validation-Passed"
    play.forward(DIVERSION)
    assert play.record["decision"] == decision


@pytest.mark.clause("AS-13", "PPT-06")
def test_media_keys_that_are_others_now() -> None:
    """A PBX that answers the media itself breaks what was signed over them: nothing is put back, no div leads on."""
    sdp = b"v=0\r\nm=audio 4000 UDP/TLS/RTP/SAVP 0\r\na=fingerprint:sha-256 AB:CD:EF\r\n"
    for forwarding, decision in ((Forwarding.PASSPORT, "refuse"), (Forwarding.DELIVERED, "forward")):
        play = Play(forwarding)
        keys = fingerprints(sdp)
        value = play.carrier.sign_shaken(TN(CALLER), (OWNED,), "A", ORIGID, UnixTime(WALL), keys)
        request = invite(
            calling=CALLER, called=OWNED, source=CARRIER_A, call_id="in-1@carrier", headers=(f"Identity: {value}",)
        )
        request.body = sdp
        request.set("content-length", str(len(sdp)))
        play.stage.carrier.start(request)
        play.stage.network.run(2)
        assert play.stage.record("decision")["verstat"] == "TN-Validation-Passed"
        play.forward(DIVERSION)
        assert play.record["decision"] == decision
        if decision == "forward":
            assert [claims["attest"] for claims in ours(play)] == ["B"]


@pytest.mark.clause("policy")
def test_nothing_is_remembered_of_other_calls() -> None:
    """Not of a customer that may not forward, of a caller without a number, of a refused call, nor of too many."""
    play = Play(Forwarding.REFUSE)
    play.stage.arrives(calling=CALLER, call_id="in-1@carrier")
    assert len(play.stage.sample.view.delivered) == 0
    play = Play(Forwarding.DELIVERED)
    play.stage.arrives(from_value="<sip:anonymous@anonymous.invalid>", call_id="in-1@carrier")
    play.stage.arrives(calling=CALLER, called="19005550100", call_id="in-2@carrier")
    play.stage.arrives(calling=CALLER, method="OPTIONS", call_id="in-3@carrier")
    delivered = play.stage.sample.view.delivered
    assert len(delivered) == 0
    delivered.capacity = 2
    for number in range(4):
        play.stage.arrives(calling=f"1312555010{number}", call_id=f"in-1{number}@carrier")
    assert len(delivered) == 2
    play.forward(DIVERSION, calling="13125550101")
    assert play.record["rule"] == NOT_OWNED
    play.forward(DIVERSION, calling="13125550103", call_id="forward-2@pbx")
    assert play.record["decision"] == "forward"


@pytest.mark.clause("EMG-04", "policy: emergency calls")
def test_an_emergency_call_is_never_licensed() -> None:
    """Its own rules come first: refused for an unregistered caller, or routed, and in no case as a forwarded call."""
    call: dict[str, Any] = {"uri": f"sip:911@{PROXY[0]};user=phone", "called": "911"}
    for forwarding in (Forwarding.TRUST, Forwarding.PASSPORT):
        play = Play(forwarding)
        play.forward(play.shaken(), DIVERSION, **call)
        assert play.record["rule"] == "emergency.unprovisioned"
        play = Play(forwarding, PolicySettings(emergency_unprovisioned=Unprovisioned.ROUTE))
        play.forward(play.shaken(), DIVERSION, **call)
        assert len(play.stage.requests_to(RESCUE, "INVITE")) == 1
        assert "diverted_by" not in play.record["calling"]
        assert NOT_OWNED in play.record["reported"]


@pytest.mark.clause("policy: caller identity")
def test_a_licence_is_none_from_the_other_rules() -> None:
    """A caller on a do-not-originate list does not get through as somebody's forwarded call."""
    play = Play(Forwarding.TRUST)
    play.forward(DIVERSION, calling="14155550199")
    assert play.record["rule"] == "caller-id.do-not-originate"


@pytest.mark.clause("policy: caller identity")
@pytest.mark.parametrize(
    "row",
    [
        f"Diversion: <sip:+{STRANGER}@x>;reason=unconditional, <sip:+{OWNED}@x>",
        f"Diversion: <tel:+{STRANGER}>",
        f"History-Info: <sip:+{STRANGER}@x>;index=1, <sip:+{TARGET}@x;cause=302>;index=1.1;mp=1",
    ],
)
def test_a_diversion_from_somebody_elses_number(row: str) -> None:
    """A customer's own call that claims it is refused; a rule that only reports lets it go, and says so."""
    rule = "caller-id.diversion-not-owned"
    play = Play()
    play.forward(row, calling=OWNED)
    assert (play.record["rule"], play.record["code"]) == (rule, 403)
    assert STRANGER in play.record["detail"]
    play = Play(policy=PolicySettings(modes={rule: Mode.REPORT}))
    play.forward(row, calling=OWNED)
    assert play.record["reported"] == [rule]
    assert row in play.sent.rows


@pytest.mark.clause("policy: caller identity", "PRV-19")
@pytest.mark.parametrize(
    ("row", "left"),
    [
        (f"Diversion: <sip:+{VERIFIED}@x>;reason=away", None),
        ("Diversion: <sip:1001@192.0.2.11>;reason=away, <tel:+13125550999>", None),
        ("Diversion: <sip:sales@192.0.2.11>", None),
        (f"Diversion: <sip:{OWNED[1:]}@x>", None),
        ("Diversion: <sip:%2B1415555%30100:x@y?a=b>;reason=away, <sip:a@b>",
         f"<sip:+{OWNED}@{PROXY[0]};user=phone>;reason=away, <sip:a@b>"),
        ("Diversion: <sip:+14155550100@x", ""),
        (f"History-Info: <sip:+{STRANGER}@x>;index=1", None),
        ('History-Info: "<sip:+13125550999@x>;index=1', ""),
    ],
)  # fmt: skip
def test_what_leaves_of_a_diversion_is_what_was_checked(row: str, left: str | None) -> None:
    """An own number, an extension or a name passes as written; a strange spelling in plain form; no riddle at all."""
    play = Play()
    play.forward(row, calling=OWNED)
    name, _, value = row.partition(": ")
    assert play.sent.value(name.lower()) == ((value if left is None else left) or None)
