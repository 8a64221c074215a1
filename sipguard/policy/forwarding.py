"""Whether a customer's trunk may send calls of others back into the network, which were calls to its own numbers."""

from enum import StrEnum


class Forwarding(StrEnum):
    """What lets a call pass that presents somebody else's number and says it was diverted from one of the account's."""

    REFUSE = "refuse"  # nothing: the trunk's on_mismatch decides
    PASSPORT = "passport"  # a good PASSporT of the caller's provider, to the number it was diverted from
    DELIVERED = "delivered"  # or that this node delivered a call of that caller to that number lately
    TRUST = "trust"  # or that it says so
