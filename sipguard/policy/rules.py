"""The published table of rules: stable name, family, answer and default mode, in the order the chain asks them.

Two families of refusal, never mixed: *deterministic* rules answer 403 (404 and 484 for destinations, 503 for our own
limits) with a reason phrase; *analytics* rules answer ``603 Network Blocked`` (ATIS-1000099). Rules whose code is 0
answer nothing. The names are stable: they appear in records, metrics, Warning texts and in ``docs/policy.md``.
"""

from dataclasses import dataclass
from enum import StrEnum


class Mode(StrEnum):
    """What a rule that matched does. ``report`` records what it would have done."""

    OFF = "off"
    REPORT = "report"
    TAG = "tag"
    DIVERT = "divert"
    THROTTLE = "throttle"
    BLOCK = "block"


class Family(StrEnum):
    """Which kind of judgement a rule makes."""

    DETERMINISTIC = "deterministic"
    STIR = "stir"
    ANALYTICS = "analytics"


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table."""

    name: str
    family: Family
    code: int
    phrase: str
    mode: Mode
    meaning: str

    @property
    def answer(self) -> str:
        """What the caller gets: a code and its phrase, or only words when it gets nothing."""
        return f"{self.code} {self.phrase}" if self.code else self.phrase


_D, _S, _A = Family.DETERMINISTIC, Family.STIR, Family.ANALYTICS

TABLE = (
    Rule("scan.user-agent", _D, 0, "no answer, a ban", Mode.BLOCK,
         "A source that is no trunk's has the name of a scanning tool in User-Agent."),
    Rule("scan.honeypot", _D, 0, "no answer, a ban", Mode.BLOCK,
         "A source that is no trunk's asks for a user that nobody has and only a scanner guesses."),
    Rule("scan.users", _D, 0, "no answer, a ban", Mode.BLOCK,
         "A source that is no trunk's asks for many different users in a short time."),
    Rule("scan.digest", _D, 0, "no answer, a ban", Mode.BLOCK,
         "A source that is no trunk's gives wrong credentials many times in a short time."),
    Rule("scan.malformed", _D, 0, "no answer, a ban", Mode.BLOCK,
         "Much of what a source that is no trunk's sends is no SIP."),
    Rule("source.unknown", _D, 403, "Forbidden", Mode.BLOCK, "The source address belongs to no trunk."),
    Rule("source.no-account", _D, 403, "Forbidden", Mode.BLOCK, "The customer trunk has no account."),
    Rule("emergency.unprovisioned", _D, 403, "Emergency Calling Not Provisioned", Mode.BLOCK,
         "An emergency number was called from a number that is not registered for it."),
    Rule("account.suspended", _D, 403, "Account Suspended", Mode.BLOCK, "The account, or one above it, is suspended."),
    Rule("account.terminated", _D, 403, "Account Terminated", Mode.BLOCK, "The account, or one above it, has ended."),
    Rule("caller-id.rotation", _A, 603, "Network Blocked", Mode.REPORT,
         "Right after a refusal the account tries other caller numbers to reach the same callee."),
    Rule("caller-id.missing", _D, 403, "Caller Identity Required", Mode.BLOCK,
         "No telephone number identifies the caller (anonymous without an asserted number, or no number at all)."),
    Rule("caller-id.not-owned", _D, 403, "Caller Identity Not Authorized", Mode.BLOCK,
         "The From number is not one the account may use."),
    Rule("caller-id.asserted-not-owned", _D, 403, "Caller Identity Not Authorized", Mode.BLOCK,
         "A number in P-Asserted-Identity, P-Preferred-Identity or Remote-Party-ID is not one the account may use."),
    Rule("caller-id.diversion-not-owned", _D, 403, "Diversion Not Authorized", Mode.BLOCK,
         "The number a call claims to be diverted from (Diversion, History-Info) is not one the account may use."),
    Rule("caller-id.changed", _D, 403, "Caller Identity Not Authorized", Mode.BLOCK,
         "A re-INVITE or UPDATE has another From than the call, and its number is not one the account may use."),
    Rule("caller-id.emergency", _D, 403, "Caller Identity Not Valid", Mode.BLOCK,
         "A caller number is an emergency number, whoever it is assigned to."),
    Rule("caller-id.premium", _D, 403, "Caller Identity Not Valid", Mode.BLOCK,
         "A caller number costs extra to call back (premium rate, satellite), whoever it is assigned to."),
    Rule("caller-id.invalid", _D, 403, "Caller Identity Not Valid", Mode.BLOCK,
         "A caller number is in no numbering plan: no such country, or too many or too few digits."),
    Rule("caller-id.unallocated", _D, 403, "Caller Identity Not Valid", Mode.BLOCK,
         "A caller number is in a range that is assigned to nobody, as far as the numbering plans know."),
    Rule("dialog.sender", _D, 403, "Forbidden", Mode.BLOCK,
         "A request inside a call comes from the other side than its tags say; emergency calls pass."),
    Rule("dialog.target", _D, 403, "Forbidden", Mode.BLOCK,
         "A request inside a call is for somebody else than the other party, or by another way than the call's; "
         "emergency calls pass, the way of the call."),
    Rule("caller-id.impersonation", _D, 403, "Caller Name Not Authorized", Mode.BLOCK,
         "The caller shows a name that is protected for somebody else."),
    Rule("caller-id.display-number", _D, 403, "Caller Name Not Authorized", Mode.REPORT,
         "The caller's name shows a telephone number that the call does not present; such a name never leaves."),
    Rule("caller-id.do-not-originate", _D, 403, "Do Not Originate", Mode.BLOCK,
         "The caller number is on a do-not-originate list."),
    Rule("destination.invalid", _D, 484, "Address Incomplete", Mode.BLOCK, "The called number is not a number."),
    Rule("destination.premium", _D, 403, "Destination Not Permitted", Mode.BLOCK,
         "The called number costs extra (premium rate, satellite)."),
    Rule("destination.country", _D, 403, "Destination Not Permitted", Mode.BLOCK,
         "The account may not call that country."),
    Rule("destination.do-not-call", _D, 403, "Do Not Call", Mode.BLOCK,
         "The called number is on the do-not-call list of the account, or on the national one and the account sells."),
    Rule("destination.hours", _D, 403, "Outside Calling Hours", Mode.REPORT,
         "It is too early or too late where the called number is, and the account sells by telephone."),
    Rule("destination.repeated", _D, 403, "Called Too Often", Mode.REPORT,
         "The account, which sells by telephone, called the number often enough for a day."),
    Rule("destination.velocity", _D, 403, "Destination Limit Reached", Mode.REPORT,
         "More calls than the account may make to one number in 15 minutes, or to one country or high-risk prefix in 5 "
         "or 60."),
    Rule("destination.wangiri", _A, 603, "Network Blocked", Mode.REPORT,
         "Most calls of the account's last five minutes rang for an instant, at many different numbers."),
    Rule("destination.unknown", _D, 404, "Not Found", Mode.BLOCK, "No account here has the called number."),
    Rule("destination.no-route", _D, 480, "Temporarily Unavailable", Mode.BLOCK, "No trunk carries this call."),
    Rule("privacy.not-offered", _D, 500, "Privacy Failure", Mode.BLOCK,
         "Privacy says critical, asks for a level that is not offered here, and the call leaves the trust domain."),
    Rule("limit.rate", _D, 503, "Service Unavailable", Mode.BLOCK,
         "More calls a second than a source, trunk, account, calling number or route may have; emergency calls pass."),
    Rule("limit.concurrent", _D, 503, "Service Unavailable", Mode.BLOCK,
         "More calls at a time than a trunk, account, calling number or route may have; emergency calls pass."),
    Rule("limit.hugging", _A, 603, "Network Blocked", Mode.REPORT,
         "The account has kept just below its limits for many minutes."),
    Rule("destination.duration", _D, 403, "Call Duration Limit Reached", Mode.BLOCK,
         "A call to a destination with a longest duration has lasted that long: BYE to both sides."),
    Rule("robodial.tag", _A, 603, "Network Blocked", Mode.REPORT,
         "The account's traffic is tagged as robo-dialing; its calls leave by the segregated route."),
    Rule("node.draining", _D, 503, "Service Unavailable", Mode.BLOCK,
         "The node is shutting down; emergency calls pass."),
    Rule("node.overload", _D, 503, "Service Unavailable", Mode.BLOCK,
         "More calls arrive than the node can handle; emergency calls and calls in progress pass."),
    Rule("node.ledger", _D, 503, "Service Unavailable", Mode.BLOCK,
         "The attestation log cannot be written and is configured to hold calls."),
    Rule("node.registry", _D, 503, "Service Unavailable", Mode.BLOCK,
         "The registry has been out of reach for too long and is configured to stop customers' calls then."),
    Rule("node.error", _D, 500, "Server Internal Error", Mode.BLOCK,
         "A stage failed; the failure is in the node's log."),
    Rule("sign.outage", _D, 503, "Signing Unavailable", Mode.BLOCK,
         "The call could not be signed, and the operator chose to refuse it rather than send it unsigned."),
    Rule("sign.stale-date", _D, 403, "Stale Date", Mode.BLOCK,
         "The Date is more than a minute off, and the operator chose to refuse such calls rather than sign them."),
    Rule("stir.missing", _S, 428, "Use Identity Header", Mode.BLOCK, "No usable Identity header, and one is required."),
    Rule("stir.stale", _S, 403, "Stale Date", Mode.BLOCK, "The PASSporT is not fresh."),
    Rule("stir.unavailable", _S, 436, "Bad Identity Info", Mode.BLOCK, "No certificate could be fetched."),
    Rule("stir.x5u-refused", _S, 436, "Bad Identity Info", Mode.BLOCK,
         "The certificate is at a URL that is never fetched (not https, a private address, user information)."),
    Rule("stir.certificate-untrusted", _S, 437, "Unsupported Credential", Mode.BLOCK,
         "The certificate is malformed, or no trusted authority issued it for this."),
    Rule("stir.certificate-expired", _S, 437, "Unsupported Credential", Mode.BLOCK,
         "The certificate is not valid now, or was not when the PASSporT was made."),
    Rule("stir.certificate-revoked", _S, 437, "Unsupported Credential", Mode.BLOCK,
         "The certificate is revoked, or it cannot be told and must be."),
    Rule("stir.certificate-scope", _S, 437, "Unsupported Credential", Mode.BLOCK,
         "The certificate lists numbers, and not the one it was used for."),
    Rule("stir.malformed", _S, 438, "Invalid Identity Header", Mode.BLOCK,
         "The Identity header or its PASSporT breaks a rule of its own form."),
    Rule("stir.orig-mismatch", _S, 438, "Invalid Identity Header", Mode.BLOCK,
         "The PASSporT is for another calling number."),
    Rule("stir.dest-mismatch", _S, 438, "Invalid Identity Header", Mode.BLOCK,
         "The PASSporT is for another called number."),
    Rule("stir.diversion", _S, 438, "Invalid Identity Header", Mode.BLOCK,
         "The call was retargeted, and its div PASSporTs do not lead here."),
    Rule("stir.media-key", _S, 438, "Invalid Identity Header", Mode.BLOCK,
         "The SDP has other media keys than the PASSporT."),
    Rule("stir.signature", _S, 438, "Invalid Identity Header", Mode.BLOCK,
         "The signature is not that of the certificate."),
    Rule("stir.claims-not-permitted", _S, 438, "Invalid Identity Header", Mode.BLOCK,
         "The certificate does not let its holder claim this."),
    Rule("stir.replayed", _S, 438, "Invalid Identity Header", Mode.BLOCK,
         "The PASSporT was already used for another call."),
    Rule("network-caller.do-not-originate", _D, 403, "Do Not Originate", Mode.BLOCK,
         "A call from the network shows a number that is on a do-not-originate list."),
    Rule("network-caller.emergency", _D, 403, "Caller Identity Not Valid", Mode.REPORT,
         "A caller whom no customer answers for (network, gateway, forwarded call) shows an emergency number."),
    Rule("network-caller.premium", _D, 403, "Caller Identity Not Valid", Mode.REPORT,
         "A caller whom no customer answers for shows a number that costs extra to call back."),
    Rule("network-caller.invalid", _D, 403, "Caller Identity Not Valid", Mode.REPORT,
         "A caller whom no customer answers for shows something that is in no numbering plan."),
    Rule("network-caller.unallocated", _D, 403, "Caller Identity Not Valid", Mode.REPORT,
         "A caller whom no customer answers for shows, unsigned, a number in a range that is assigned to nobody."),
)  # fmt: skip

RULES = {rule.name: rule for rule in TABLE}
