"""What becomes of an emergency call from a number that is not provisioned for emergency calling."""

from enum import StrEnum


class Unprovisioned(StrEnum):
    """The operator's choice; each of them alerts and is recorded (47 CFR 9.11 forbids some providers to refuse)."""

    REJECT = "reject"  # 403
    ANNOUNCE = "announce"  # to a trunk of class announcement, which says that no help will come
    ROUTE_TO_ECRC = "route_to_ecrc"  # to a trunk of class ecrc: an emergency call relay centre, staffed, at a price
    ROUTE = "route"  # like a provisioned call, without a location
