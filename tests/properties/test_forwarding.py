"""However Diversion and History-Info are mutated, nobody's number licenses a call but the account's own."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipguard.errors import MalformedMessage
from sipguard.policy.diverted_from import by_diversion
from sipguard.policy.finding import CallerIdentity, Refusal
from sipguard.policy.forwarding import Forwarding
from sipguard.policy.stages import caller_identity, diversion
from sipguard.testing.sample import CARRIER_A, OWNED, changed
from sipguard.testing.sample import invite as sample_invite
from tests.flows.stage import Stage
from tests.policy import kit

TARGET, STRANGERS = "14155550150", "13125550999"
FORWARDS = replace(kit.CUSTOMER, forwarding=Forwarding.TRUST)
GOOD, FOREIGN = f"<sip:+{kit.OWNED}@x>", f"<sip:+{kit.FOREIGN}@x>"
ROWS = [
    f"Diversion: {GOOD};reason=no-answer",
    f"Diversion: {FOREIGN}, {GOOD}",
    f"History-Info: {GOOD};index=1, <sip:+{TARGET}@x;cause=302>;index=1.1;mp=1",
    f"History-Info: {FOREIGN};index=1, {GOOD};index=1.1;mp=1, <sip:+{TARGET}@x>;index=1.1.1;mp=1.1",
]
PIECES = st.sampled_from([
    "<", ">", '"', "\\", ";", ",", "@", ":", "?", "%2B", "%40", "%3b", "\t", " ", "sip:", "tel:", ";mp=1", ";rc=1",
    ";index=1", ";index=1.1", ";cause=302", "?Reason=SIP%3Bcause%3D302", GOOD, FOREIGN, "1", ".", "=", "+", "00", "a",
])  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A row with pieces put in, cut out, or doubled at random places of its value."""
    name, _, row = draw(st.sampled_from(ROWS)).partition(": ")
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(row)))
        end = draw(st.integers(start, min(len(row), start + 12)))
        row = row[:start] + draw(PIECES | st.just(row[start:end] * 2)) + row[end:]
    return f"{name}: {row}"


@pytest.mark.clause("policy: caller identity")
@settings(max_examples=300, deadline=None)
@given(mutated(), mutated())
def test_only_own_numbers_license(first: str, second: str) -> None:
    """A stranger's call passes only as diverted from a number that calls to this account arrive at; nothing raises."""
    try:
        request = kit.invite(f"sip:+{TARGET}@p", "<sip:+13125550777@x>", None, first, second)
    except MalformedMessage:
        return
    call = kit.call_of(request, trunk=FORWARDS)
    finding = caller_identity.examine(call, kit.view_of())
    assert isinstance(finding, CallerIdentity | Refusal)
    if isinstance(finding, CallerIdentity):
        assert finding.forwarded is not None
        assert finding.forwarded.by in (kit.OWNED, kit.DELEGATED, kit.PARENTS)
    diversion.examine(call, kit.view_of())


@pytest.mark.clause("policy: caller identity", "PRV-19")
@settings(max_examples=150, deadline=None)
@given(mutated())
def test_what_leaves_reads_as_what_was_checked(row: str) -> None:
    """The topmost Diversion that the carrier reads is no number of somebody else's, whatever was written."""
    stage = Stage(trunks=changed("acme-pbx", forwarding=Forwarding.TRUST))
    try:
        request = sample_invite(calling=OWNED, headers=(row.replace(kit.FOREIGN, STRANGERS),))
    except MalformedMessage:
        return
    stage.pbx.start(request)
    stage.network.run(1)
    for sent in stage.requests_to(CARRIER_A, "INVITE"):
        before = by_diversion(sent, kit.AMERICA)
        assert before is None or before.tn is None or len(before.tn) < 7 or before.tn in (OWNED, "14155550111")
