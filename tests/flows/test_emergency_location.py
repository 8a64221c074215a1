"""Where an emergency caller is: passed on octet for octet, or added by reference."""

from typing import Any

import pytest

from sipguard.policy.settings import PolicySettings
from sipguard.policy.unprovisioned import Unprovisioned
from sipguard.testing.sample import CARRIER_B, OWNED, PROXY, RESCUE, VERIFIED, changed, invite, target
from tests.flows.stage import Stage, refusing

HELP: dict[str, Any] = {"uri": f"sip:911@{PROXY[0]};user=phone", "called": "911"}
URL = "https://location.example.com/held/{number}"
OURS = f"<https://location.example.com/held/{OWNED}>"
ADDS = PolicySettings(emergency_location_url=URL)
ALWAYS = PolicySettings(emergency_location_url=URL, emergency_location_when="always")
OWN = "<cid:target123@pbx.example>"
PIDF_LO = (
    b"--b1\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n"
    b"--b1\r\nContent-Type: application/pidf+xml\r\nContent-ID: <target123@pbx.example>\r\n\r\n"
    b'<?xml version="1.0"?>\n<presence entity="pres:a@b">\xc3\xa9 \t<gp:geopriv/>  </presence>\r\n--b1--\r\n'
)


def located(policy: PolicySettings = ADDS, *headers: str, **parts: Any) -> Stage:
    """A stage on which acme has called 911."""
    stage = Stage(policy=policy, **parts)
    stage.call(headers=headers, **HELP)
    return stage


@pytest.mark.clause("EMG-06", "RFC 6442 4.1")
@pytest.mark.parametrize("policy", [PolicySettings(), ADDS, ALWAYS])
def test_a_location_in_the_body_passes_octet_for_octet(policy: PolicySettings) -> None:
    """A PIDF-LO beside the SDP arrives as it was sent, whatever is said besides, and the caller's reference first."""
    stage = Stage(policy=policy)
    request = invite(headers=(f"Geolocation: {OWN}", "Geolocation-Routing: no"), **HELP)
    request.set("content-type", "multipart/mixed;boundary=b1")
    request.set("content-length", str(len(PIDF_LO)))
    request.body = PIDF_LO
    stage.pbx.start(request)
    stage.network.run(2)
    sent = stage.octets_to(RESCUE)[0]
    assert sent.partition(b"\r\n\r\n")[2] == PIDF_LO
    request = stage.rescue.requests[0]
    assert request.listed("geolocation")[0] == OWN
    assert request.value("geolocation-routing") == "no"


@pytest.mark.clause("EMG-11", "RFC 6442 4.1")
def test_a_registered_location_is_added_to_a_call_without_one() -> None:
    """A reference to the registered location, and that it may be routed by, for a provisioned number."""
    request = located().rescue.requests[0]
    assert request.listed("geolocation") == [OURS]
    assert request.value("geolocation-routing") == "yes"


@pytest.mark.clause("EMG-07", "RFC 6442 4.1")
def test_ours_comes_last_and_changes_nothing_else() -> None:
    """Beside the caller's own location ours is the last, if at all, and Geolocation-Routing: no stays."""
    own = (f"Geolocation: {OWN}", "Geolocation-Routing: no")
    assert located(ADDS, *own).rescue.requests[0].listed("geolocation") == [OWN]
    request = located(ALWAYS, *own).rescue.requests[0]
    assert request.listed("geolocation") == [OWN, OURS]
    assert request.values("geolocation-routing") == ["no"]


@pytest.mark.clause("EMG-11")
def test_a_location_goes_nowhere_else() -> None:
    """Not to ordinary calls, not for callers without a registration, not where nobody sends help."""
    stage = located(PolicySettings(emergency_location_url=URL, emergency_unprovisioned=Unprovisioned.ROUTE))
    stage.call(call_id="ordinary@sample")
    assert not stage.carrier.requests[0].has("geolocation")
    stage.call(call_id="unregistered@sample", calling=VERIFIED, **HELP)
    assert not stage.rescue.requests[-1].has("geolocation")
    elsewhere = located(ADDS, trunks=tuple(trunk for trunk in changed("rescue") if trunk.name != "rescue"))
    assert not elsewhere.carrier.requests[0].has("geolocation")


@pytest.mark.clause("EMG-08", "RFC 6442 4.1", "RFC 6442 4.3")
@pytest.mark.parametrize(
    ("policy", "headers", "code"),
    [
        (ADDS, (), 500),  # it speaks of ours
        (PolicySettings(), (), 500),  # it speaks of nothing
        (ADDS, (f"Geolocation: {OWN}",), 424),  # it speaks of the caller's
        (ALWAYS, (f"Geolocation: {OWN}",), 500),  # nobody knows
    ],
)
def test_a_bad_location_is_told_to_whoever_sent_it(policy: PolicySettings, headers: tuple[str, ...], code: int) -> None:
    """A 424 reaches only a caller that sent the location it is about."""
    stage = located(policy, *headers, scripts={"rescue": refusing(424)})
    assert stage.pbx.codes[-1] == code


@pytest.mark.clause("EMG-16")
def test_a_bad_location_does_not_end_the_search_for_help() -> None:
    """After a 424 the next target is tried."""
    trunks = changed("rescue", targets=(target(RESCUE), target(CARRIER_B)))
    assert located(ADDS, trunks=trunks, scripts={"rescue": refusing(424)}).pbx.codes[-1] == 200
