"""Attestation records: one JSON object per decision, and the follow-ups that close it (answer, end)."""

from collections.abc import Mapping

import msgspec

from sipguard.policy.finding import TrailEntry


class Calling(msgspec.Struct, omit_defaults=True):
    """Caller numbers: as received in From and asserted fields, the one that counts, and the raw header values."""

    effective: str | None = None
    from_: str | None = msgspec.field(name="from", default=None)
    asserted: list[str] = []
    replaced: str | None = None
    diverted_by: str | None = None
    raw_from: str = ""
    raw_asserted: list[str] = []
    privacy: str | None = None


class Called(msgspec.Struct, omit_defaults=True):
    """Called numbers: Request-URI and To, canonical where they are numbers, and the raw values."""

    request_uri: str | None = None
    to: str | None = None
    raw_request_uri: str = ""
    raw_to: str = ""


class DecisionRecord(msgspec.Struct, omit_defaults=True):
    """What was decided about a call, and why."""

    v: int
    id: str
    at: str
    event: str
    node: str
    direction: str
    trunk: str
    source: str
    call_id: str
    method: str
    decision: str
    calling: Calling
    called: Called
    trail: list[TrailEntry]
    revision: str
    account: str | None = None
    account_state: str | None = None
    authenticated: str | None = None
    end_user: str | None = None
    rule: str | None = None
    code: int | None = None
    detail: str | None = None
    alert: bool = False
    reported: list[str] = []
    emergency: str | None = None
    emergency_test: bool = False
    emergency_provisioned: bool | None = None
    emergency_handling: str | None = None
    callback: str | None = None
    attest: str | None = None
    origid: str | None = None
    x5u: str | None = None
    spc: str | None = None
    identity_sent: str | None = None
    identities_beside: list[str] = []
    identity_received: list[str] = []
    verstat: str | None = None
    verify_reason: str | None = None
    priority: str | None = None
    diversions: list[tuple[str, str]] = []
    traffic_class: str | None = None
    tags: list[str] = []
    routes: list[str] = []


class FollowUpRecord(msgspec.Struct, omit_defaults=True):
    """What became of a call: ``answer`` (a 2xx passed) or ``end`` (code, seconds, who released it).

    ``refused`` says that a request inside the call went no further, by which rule; ``reported`` that a rule in mode
    report would have ended the call of this account.
    """

    v: int
    id: str
    at: str
    event: str
    node: str
    code: int | None = None
    reason: str | None = None
    route: str | None = None
    answered: bool | None = None
    duration: float | None = None
    released_by: str | None = None
    method: str | None = None
    rule: str | None = None
    detail: str | None = None
    raw_from: str | None = None
    account: str | None = None


class ShedRecord(msgspec.Struct):
    """How many calls of each trunk overload control turned away since the last such record; they have no others."""

    v: int
    at: str
    event: str
    node: str
    rule: str
    calls: Mapping[str, int]
