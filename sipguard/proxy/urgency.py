"""Which requests come first when not all can be served (EMG-17, RFC 4412, RFC 7339 §5.10.1)."""

import re
from dataclasses import replace

from sipguard.policy.directory import Trunk
from sipguard.policy.emergency_numbers import Overrides, emergency_number, recognised, short_number
from sipguard.policy.presented import ASSERTED, from_number
from sipguard.policy.presented import numbers as numbers_in
from sipguard.policy.resource_priority import is_callback, namespace_of, resource_priorities
from sipguard.policy.view import View
from sipguard.proxy.validation import is_service_urn
from sipguard.sip.message import Request
from sipguard.sip.uri import parse_uri

# URIs of a number too long for an emergency number, as nearly every call has them: not worth a closer look.
_ORDINARY_URI = re.compile(r"sips?:\+?[0-9]{11,}[@;]")
_ORDINARY_ADDRESS = re.compile(r'[^"<]*<sips?:\+?[0-9]{11,}[@;]')


def is_ordinary(uri: str, to: str) -> bool:
    """Whether a Request-URI and a To are plain numbers too long to be an emergency number anywhere in the world."""
    return _ORDINARY_URI.match(uri) is not None and _ORDINARY_ADDRESS.match(to) is not None


def is_emergency(request: Request, trunk: Trunk, view: View) -> bool:
    """Whether Request-URI or To, by the trunk's dial plan, mean an emergency service. Raises MalformedValue.

    To counts because the Request-URI may have been rewritten on the way to an emergency centre.
    """
    if asks_for_help(request, trunk, view):
        return True
    numbers = view.policy.emergency_numbers
    return not _ORDINARY_ADDRESS.match(request.required("to")) and _means_emergency(request.to.uri, trunk, numbers)


def asks_for_help(request: Request, trunk: Trunk, view: View) -> bool:
    """The same by the Request-URI alone, which says where a call goes. Raises MalformedValue.

    As in the stage ``emergency``, the numbers of the country that the caller is registered in count as well.
    """
    if _ORDINARY_URI.match(request.uri):
        return False
    return _means_emergency(request.uri, trunk, view.policy.emergency_numbers) or _means_it_at_home(
        request, trunk, view
    )


def _means_emergency(uri: str, trunk: Trunk, numbers: Overrides) -> bool:
    return is_service_urn(uri) or emergency_number(parse_uri(uri), trunk.dial_plan, numbers) is not None


def _means_it_at_home(request: Request, trunk: Trunk, view: View) -> bool:
    """Whether the number is one of the country that the caller's number is registered in (EMG-01)."""
    dialled = short_number(parse_uri(request.uri))
    if not dialled:
        return False
    plan = trunk.dial_plan
    for tn in (*numbers_in(request, ASSERTED, plan), from_number(request, plan)):
        registration = None if tn is None else view.directory.emergency(tn)
        if registration is not None:
            there = replace(plan, country=registration.country)
            if recognised(dialled, there, view.policy.emergency_numbers) is not None:
                return True
    return False


def has_priority(request: Request, trunk: Trunk, namespaces: frozenset[str]) -> bool:
    """Whether a request of a trusted trunk has a Resource-Priority that counts, or calls back from a centre."""
    if not trunk.trusted:
        return False
    return is_callback(request) or any(namespace_of(value) in namespaces for value in resource_priorities(request))
