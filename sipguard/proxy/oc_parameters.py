"""The Via parameters of overload control (RFC 7339 §4): written into responses, taken out of requests, and read.

``oc``, ``oc-algo``, ``oc-validity`` and ``oc-seq`` say something to one neighbour only: the client that put ``oc`` into
the Via it added. So they never travel further, and those in a response are ours.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from sipguard.sip.header import split_list
from sipguard.sip.message import Request, Response, row_value
from sipguard.sip.via import Via, parse_via

OFFER = ';oc;oc-algo="loss"'  # what a client that supports the loss algorithm adds to its Via
_NAMES = frozenset(("oc", "oc-algo", "oc-validity", "oc-seq"))
_DEFAULT_VALIDITY = 0.5  # seconds (RFC 7339 §4.3)
_NUMBER = re.compile(r"[0-9]{1,9}")
_SEQUENCE = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,5})?")


class Demand(NamedTuple):
    """What a server asks for: ``loss`` is the share of requests to leave out, for ``validity`` seconds.

    ``sequence`` orders demands of one server; None when it gave none. A ``validity`` of 0 ends overload control.
    """

    loss: float
    validity: float
    sequence: float | None


def offers_loss(parameters: Mapping[str, str | None]) -> bool:
    """Whether the Via of a request offers overload control with the loss algorithm."""
    return "oc" in parameters and "loss" in [name.strip(" \t") for name in (parameters.get("oc-algo") or "").split(",")]


def answer(loss: float, validity: float, sequence: float) -> str:
    """The parameters of a response: ``loss`` as a share, ``validity`` in seconds, 0 when nothing is asked for."""
    return f';oc={round(100 * loss)};oc-algo="loss";oc-validity={round(1000 * validity)};oc-seq={sequence:.3f}'


def demand(parameters: Mapping[str, str | None]) -> Demand | None:
    """What the Via of a response asks for; None when it asks for nothing that we understand."""
    value = parameters.get("oc")
    if value is None or not _NUMBER.fullmatch(value) or parameters.get("oc-algo", "loss") != "loss":
        return None
    validity = parameters.get("oc-validity")
    sequence = parameters.get("oc-seq")
    return Demand(
        min(int(value), 100) / 100,
        int(validity) / 1000 if validity is not None and _NUMBER.fullmatch(validity) else _DEFAULT_VALIDITY,
        float(sequence) if sequence is not None and _SEQUENCE.fullmatch(sequence) else None,
    )


def rewrite(message: Request | Response, parameters: str = "") -> None:
    """Put these parameters into the topmost Via in the place of whatever it says of overload control.

    Raises MalformedValue when that Via cannot be read.
    """
    row = message.first["via"]
    values = split_list(row_value(row))
    via = parse_via(values[0])
    kept = {name: value for name, value in via.parameters.items() if name not in _NAMES}
    plain = Via(via.transport, via.host, via.port, kept)
    message.replace_top_via(plain, "Via: " + ", ".join((f"{plain}{parameters}", *values[1:])))
