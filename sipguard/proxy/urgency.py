"""Which requests come first when not all can be served (EMG-17, RFC 4412, RFC 7339 §5.10.1)."""

import re
from collections.abc import Iterable
from dataclasses import replace

from sipguard.policy.emergency_numbers import Overrides, recognised, short_number
from sipguard.policy.presented import ASSERTED, from_number
from sipguard.policy.presented import numbers as numbers_in
from sipguard.policy.resource_priority import is_callback, namespace_of, resource_priorities
from sipguard.policy.trunk import Trunk
from sipguard.policy.view import View
from sipguard.sip.message import Request
from sipguard.sip.uri import parse_uri
from sipguard.stir.telephone_number import DialPlan

# URIs of a number too long for an emergency number, as nearly every call has them: not worth a closer look.
_ORDINARY_URI = re.compile(r"sips?:\+?[0-9]{11,}[@;]")


def is_ordinary(uri: str) -> bool:
    """Whether a Request-URI is a plain number too long to be an emergency number anywhere in the world."""
    return _ORDINARY_URI.match(uri) is not None


def asks_for_help(request: Request, trunk: Trunk, view: View) -> bool:
    """Whether the Request-URI, by the trunk's dial plan, means an emergency service. Raises MalformedValue.

    It alone says where a call goes: To is what its sender likes it to be. As in the stage ``emergency``, the numbers of
    the country that the caller is registered in count as well.
    """
    if is_ordinary(request.uri):
        return False
    if means_help(request.uri, (trunk.dial_plan,), view.policy.emergency_numbers):
        return True
    return _means_it_at_home(request, trunk, view)


def means_help(uri: str, plans: Iterable[DialPlan], numbers: Overrides) -> bool:
    """Whether a Request-URI means an emergency service under one of these dial plans. Raises MalformedValue."""
    if is_ordinary(uri):
        return False
    dialled = short_number(parse_uri(uri))
    return bool(dialled) and any(recognised(dialled, plan, numbers) is not None for plan in plans)


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
