"""How customers that are known by user name and password are asked for them."""

from typing import Literal

from pydantic import Field, field_validator

from sipguard.config.section import Section
from sipguard.sip.digest import ALGORITHMS


class DigestSection(Section):
    """``[digest]``: how customers known by credentials are asked for them. Without a realm: the name of the node."""

    realm: str = Field(default="", max_length=128, pattern=r"^[A-Za-z0-9._@ -]*$")
    algorithms: tuple[Literal["SHA-512-256", "SHA-256", "MD5"], ...] = ("SHA-256",)
    nonce_lifetime: float = Field(default=300.0, ge=10, le=86_400)
    max_nonces: int = Field(default=100_000, ge=100, le=10_000_000)
    failures_logged: int = Field(default=10, ge=0, le=10_000)

    @field_validator("algorithms")
    @classmethod
    def _strongest_first(cls, algorithms: tuple[str, ...]) -> tuple[str, ...]:
        if not algorithms or len(set(algorithms)) != len(algorithms):
            raise ValueError("names each algorithm at most once, and at least one")
        return tuple(name for name in ALGORITHMS if name in algorithms)
