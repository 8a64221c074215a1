"""Callback: first of the stages for calls from the network, so that none refuses an emergency centre's call (EMG-10).

A call is one when a trusted trunk marks it so (``Priority: psap-callback``, RFC 7090; from any other the mark means
nothing and is removed), or when it goes to a number that called help not long ago. Calls back are exempt from every
rule that only asks how a call arrives; a number that nobody has, or that leads nowhere, stays one. A mark that an
``rph`` PASSporT vouches for is known only after verification, and honoured by ``enforce``.
"""

from sipguard.errors import MalformedValue
from sipguard.policy.call import Call
from sipguard.policy.finding import Callback
from sipguard.policy.resource_priority import is_callback
from sipguard.policy.view import View

_MARKED, _EXPECTED = Callback("marked"), Callback("expected")


def examine(call: Call, view: View) -> Callback | None:
    """Recognise the call of an emergency centre."""
    if call.trunk.trusted and is_callback(call.request):
        return _MARKED
    if not view.callbacks:  # nearly always
        return None
    try:
        tn = call.request_tn
    except MalformedValue:
        return None
    return _EXPECTED if tn is not None and view.callbacks.is_open(tn, call.received_at) else None
