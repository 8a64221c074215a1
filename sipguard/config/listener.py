"""``[[listener]]``: the addresses calls arrive on."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, ValidationInfo, field_validator

from sipguard.config.address import SocketAddress, parse_socket_address
from sipguard.config.section import ConfiguredPath, Section
from sipguard.sip.uri import default_port

_ORIGIN = re.compile(
    r"[A-Za-z][A-Za-z0-9+.-]*://[A-Za-z0-9.-]+(:[0-9]{1,5})?|[A-Za-z][A-Za-z0-9+.-]*://\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?"
)


def _origin(text: str) -> str:
    """A web origin as browsers write it (RFC 6454 §6.1)."""
    if not _ORIGIN.fullmatch(text):
        raise ValueError(f'"{text}" is not an origin like https://phone.example.com')
    return text.lower()


class ListenerSection(Section):
    """One ``[[listener]]``: an address calls arrive on."""

    transport: Literal["udp", "tcp", "tls", "ws", "wss"]
    bind: str
    advertise: str | None = None
    certificate: ConfiguredPath | None = None
    key: ConfiguredPath | None = None
    client_ca: ConfiguredPath | None = None
    transport_parameter: bool = False
    origins: tuple[Annotated[str, AfterValidator(_origin)], ...] = ()

    @field_validator("bind")
    @classmethod
    def _bound(cls, text: str, info: ValidationInfo) -> str:
        return str(parse_socket_address(text, default_port(info.data.get("transport"))))

    @field_validator("advertise")
    @classmethod
    def _reachable(cls, text: str | None, info: ValidationInfo) -> str | None:
        if text is None:
            return None
        address = parse_socket_address(text, default_port(info.data.get("transport")), names=True)
        if address.wildcard:
            raise ValueError(f'others cannot reach "{text}"')
        return str(address)

    @property
    def address(self) -> SocketAddress:
        """The address to bind."""
        return parse_socket_address(self.bind)

    @property
    def advertised(self) -> SocketAddress:
        """The address Via and Record-Route say."""
        return self.address if self.advertise is None else parse_socket_address(self.advertise, names=True)
