"""Why a token fails: the exception that carries a verdict's reason out of the readers (never out of the service)."""

from sipguard.errors import MalformedValue
from sipguard.stir.verdict import Reason


class Fault(MalformedValue):
    """A token that fails, and the reason that goes into its verdict."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
