"""Destination: the called number must be a number, in a country the account may call, and no premium number.

Emergency calls and their service URNs are past that question. Short codes are left to the carrier, which knows them;
one or two digits, more than E.164 allows, or a number in the midst of asterisks and hashes that no switch takes off,
are no number. The countries are the account's own, or those of the nearest account above it, or the policy's; where
nobody names any, the trunk's own country.
"""

from sipguard.errors import MalformedValue
from sipguard.policy.call import Call
from sipguard.policy.callee import called_number
from sipguard.policy.countries import ANYWHERE, country_of, home
from sipguard.policy.finding import Refusal
from sipguard.policy.view import View
from sipguard.stir.telephone_number import TN

_SHORTEST = 3
_LONGEST = 15  # ITU-T E.164
_SHORTEST_GLOBAL = 7  # digits; what is shorter is a service code
_NO_DIGITS = str.maketrans("", "", "*#")


def examine(call: Call, view: View) -> Refusal | None:
    """Refuse what cannot be dialled with 484, and what may not be with 403."""
    if call.emergency is not None:
        return None
    try:
        tn = call.request_tn
    except MalformedValue:
        return Refusal("destination.invalid", "the Request-URI cannot be read")
    if tn is None or not _SHORTEST <= len(tn) <= _LONGEST:
        return Refusal("destination.invalid", "the Request-URI holds no telephone number")
    number = called_number(call)
    if number is not None:
        return _permitted(number, call, view)
    if len(tn.translate(_NO_DIGITS)) < _SHORTEST_GLOBAL:
        return None
    return Refusal("destination.invalid", "the Request-URI holds neither a telephone number nor a service code")


def _permitted(tn: TN, call: Call, view: View) -> Refusal | None:
    prefix = view.policy.premium.prefix_of(tn)
    if prefix is not None:
        return Refusal("destination.premium", f"+{prefix} is a premium range")
    account = call.account.countries if call.account is not None else ()
    countries = account or view.policy.countries or home(call.trunk.dial_plan.country)
    if ANYWHERE in countries:
        return None
    country = country_of(tn)
    if country in countries:
        return None
    where = country or "a number of no country"
    return Refusal("destination.country", f"calls to {where} are not permitted to {_account(call)}")


def _account(call: Call) -> str:
    return f"account {call.account.name}" if call.account is not None else f"trunk {call.trunk.name}"
