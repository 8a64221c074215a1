"""What is told of an emergency call (47 CFR 9.16): that it was made, where the caller is, how to call back."""

from typing import Any

from sipguard.policy.call import Call
from sipguard.policy.decision import Decision
from sipguard.policy.recorder import readable
from sipguard.stir.telephone_number import TN

RULE = "emergency.unprovisioned"


def notice_of(call: Call, decision: Decision, node: str, at: str) -> dict[str, Any]:
    """The notice, ready for JSON: ``emergency.call``, ``emergency.test`` (933) or ``emergency.refused``."""
    notice: dict[str, Any] = {
        "event": "emergency.refused",
        "at": at,
        "node": node,
        "record": call.identifier,
        "trunk": call.trunk.name,
        "account": call.account.name if call.account is not None else None,
        "dialled": readable(call.request.uri),
        "caller": _shown(call.from_tn),
        "provisioned": False,
        "detail": readable(decision.detail),
    }
    emergency = call.emergency
    if emergency is None:
        return notice | {"number": decision.emergency}
    registration = emergency.registration
    notice["event"] = "emergency.test" if emergency.test else "emergency.call"
    notice["number"] = emergency.number
    notice["callback"] = _shown(emergency.callback)
    notice["provisioned"] = registration is not None
    if registration is None:
        notice["handling"] = emergency.handling.value
    else:
        notice["caller"] = _shown(registration.tn)
        notice["location"] = registration.location
        notice["unit"] = registration.unit
    return notice


def _shown(tn: TN | None) -> str | None:
    return None if tn is None else f"+{tn}"
