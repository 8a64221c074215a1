"""``[stir]``: signing of calls that leave for the network, verification of those that arrive from it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from sipguard.config.pkcs11_uri import KeyPlace
from sipguard.config.section import ConfiguredPath, Section, resolve
from sipguard.config.trunk import Consequence, Name
from sipguard.stir.authentication import SERIAL
from sipguard.stir.x5u import locate


class SigningCertificate(Section):
    """One ``[stir.sign.certificates.NAME]``, or one generation of several in ``[[stir.sign.certificates.NAME]]``."""

    certificate: ConfiguredPath
    key: KeyPlace
    url: str

    @property
    def key_file(self) -> Path | None:
        """The PEM file of the key; None when it is in a hardware module."""
        return self.key if isinstance(self.key, Path) else None

    @field_validator("url")
    @classmethod
    def _https(cls, url: str) -> str:
        location = locate(url.replace(SERIAL, "0"))
        if isinstance(location, str):
            raise ValueError(f"{location}; write it like https://certificates.example/leaf.pem")
        return url


class SignSection(Section):
    """``[stir.sign]``: signing of calls that leave for the network."""

    outage: Literal["unsigned", "refuse"] = "unsigned"
    stale_date: Literal["redate", "unsigned", "refuse"] = "redate"
    origid: Literal["account", "call"] = "account"
    emergency_priority: str = Field(default="", pattern=r"^(esnet\.[0-4])?$")  # RFC 7135
    certificates: Mapping[Name, tuple[SigningCertificate, ...]] = Field(default_factory=dict)

    @field_validator("certificates", mode="before")
    @classmethod
    def _one_or_several(cls, certificates: object) -> object:
        """A single table is one generation."""
        if not isinstance(certificates, Mapping):
            return certificates
        return {name: [entry] if isinstance(entry, Mapping) else entry for name, entry in certificates.items()}


class VerifySection(Section):
    """``[stir.verify]``: verification of calls that arrive from the network."""

    anchors: ConfiguredPath | None = None
    window: int = Field(default=60, ge=1, le=3600)
    original_window: int = Field(default=60, ge=1, le=10_800)  # RFC 8946 §4.2: three hours at most
    priority_authorities: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    fetch_timeout: float = Field(default=2.0, gt=0, le=30)
    allow_private_hosts: tuple[str, ...] = ()
    https_ca: ConfiguredPath | None = None
    on_failure: Consequence = "tag"
    on_unavailable: Consequence = "tag"
    require: bool = False
    policy_administrator: ConfiguredPath | None = None
    crl: str | None = None
    revocation: Literal["soft", "hard"] = "soft"
    cache_capacity: int = Field(default=1000, ge=1, le=1_000_000)

    @field_validator("crl")
    @classmethod
    def _file_or_url(cls, crl: str | None, info: ValidationInfo) -> str | None:
        if crl is None or (crl.startswith("https://") and not isinstance(locate(crl), str)):
            return crl
        if "://" in crl or not crl:
            raise ValueError("is neither a file nor a URL like https://policy-administrator.example/crl")
        return str(resolve(Path(crl), info))


class StirSection(Section):
    """``[stir]``."""

    sign: SignSection = SignSection()
    verify: VerifySection = Field(default_factory=VerifySection)
