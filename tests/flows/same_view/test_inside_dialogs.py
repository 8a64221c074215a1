"""Inside a dialog too: no spelling of From or of an identity field shows a number but the speaker's own."""

import pytest

from sipguard.testing.sample import ACME_PBX, CARRIER_A, OWNED, changed, flow_from
from tests.flows.same_view import hostile, readers
from tests.flows.same_view.test_same_view import by_name
from tests.flows.stage import Stage

Case = tuple[str, int | None]


def spoken(stage: Stage, method: str, from_: str | None = None, more: str | None = None) -> list[bytes]:
    """A request of the caller with a From row of this spelling, or one more row; what leaves of it."""
    request = stage.pbx.in_dialog(method)
    rows = [row for row, name in zip(request.rows, request.names, strict=True) if name != "from" or from_ is None]
    via = f"Via: SIP/2.0/UDP {ACME_PBX[0]}:{ACME_PBX[1]};branch=z9hG4bKinside;rport"
    added = [row for row in (from_, more) if row is not None]
    octets = "\r\n".join((request.start_line, via, *added, *rows, "", "")).encode("latin-1")
    stage.network.inject(octets + request.body, flow_from(ACME_PBX))
    return [sent for sent in stage.octets_to(CARRIER_A) if sent.startswith(f"{method} ".encode())][-1:]


@pytest.mark.clause("RFC 4916 4.2", "PRV-01", "MSG-16")
@pytest.mark.parametrize("method", ["UPDATE", "INFO"])
@by_name(hostile.FROM)
def test_from(case: Case, method: str) -> None:
    """Refused, replaced, or read as the owned number by everybody."""
    stage = Stage()
    stage.call()
    for octets in spoken(stage, method, from_=case[0]):
        assert readers.callers(octets) <= {OWNED}
        assert readers.repeated(octets) == []
        assert b"verstat" not in octets.lower()
    stage.hang_up()
    stage.settle()


@pytest.mark.clause("RFC 4916 4.2", "PRV-01", "PRV-02", "MSG-16")
@pytest.mark.parametrize("trusted", [False, True])
@by_name(hostile.IDENTITY)
def test_identity_fields(case: Case, trusted: bool) -> None:
    """Asserted identities of others do not leave, to a carrier inside the trust domain or outside."""
    customer = next(trunk for trunk in changed("acme-pbx", trusted=trusted) if trunk.name == "acme-pbx")
    carriers = tuple(trunk for trunk in changed("carrier-a", trusted=trusted) if trunk.name != "acme-pbx")
    stage = Stage(trunks=(customer, *carriers))
    stage.call()
    for octets in spoken(stage, "UPDATE", more=case[0]):
        assert readers.callers(octets) <= {OWNED, "14155550111"}
        assert b"verstat" not in octets.lower()
    stage.hang_up()
    stage.settle()
