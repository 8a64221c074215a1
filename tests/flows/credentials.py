"""What digest flows share: a stage with a customer that is known by its credentials, and a telephone that answers."""

from collections.abc import Sequence
from typing import Any

from sipguard.policy.account import Account
from sipguard.policy.directory import Credential, Directory
from sipguard.policy.number_book import NumberBook
from sipguard.policy.right import NumberRight, RightKind
from sipguard.policy.settings import DigestSettings, PolicySettings
from sipguard.policy.trunk import Side, Trunk
from sipguard.sip.digest import Challenge, answer, format_credentials, parse_challenge, secret_of
from sipguard.sip.message import Request, Response
from sipguard.sip.parser import parse
from sipguard.testing.network import Endpoint
from sipguard.testing.sample import CARRIER_A, OWNED, TRUNKS, invite
from sipguard.testing.user_agent import UserAgent
from tests.flows.stage import Stage

ROAMING: Endpoint = ("198.51.100.77", 5060)  # where no trunk is
REALM, USER, PASSWORD = "sip.example", "acme-user", "correct horse battery"
OTHER_USER = "other-user"
DIGEST = DigestSettings(realm=REALM)
ROAMING_TRUNK = Trunk("acme-roaming", Side.CUSTOMER, account="acme", digest=True)
OTHER_TRUNK = Trunk("other-roaming", Side.CUSTOMER, account="acme", digest=True, sources=("198.51.100.99",))


def credential(
    trunk: str = ROAMING_TRUNK.name, user: str = USER, algorithm: str = "SHA-256", realm: str = REALM
) -> Credential:
    """What the registry keeps of the test's password."""
    return Credential(trunk, user, realm, algorithm, secret_of(algorithm, user, realm, PASSWORD))


def asking(
    trunks: Sequence[Trunk] = (*TRUNKS, ROAMING_TRUNK, OTHER_TRUNK), digest: DigestSettings = DIGEST, **more: Any
) -> Stage:
    """A stage whose directory has credentials of the given trunks' users."""
    users = (
        credential(), credential(algorithm="MD5"), credential(algorithm="SHA-512-256"),
        credential(OTHER_TRUNK.name, OTHER_USER), credential("acme-pbx", "pbx-user"),
    )  # fmt: skip
    known = Directory(
        revision="sample",
        accounts=[Account("acme", path=("acme",))],
        trunks=trunks,
        numbers=NumberBook.of(rights=[(OWNED, NumberRight("acme", RightKind.OWNED, end_user="acme/sales"))]),
        credentials=users,
    )
    return Stage(directory=known, policy=PolicySettings(digest=digest), **more)


def challenges(response: Response) -> list[Challenge]:
    """What a 407 asks for, in its order."""
    return [parse_challenge(value) for value in response.values("proxy-authenticate")]


def authorised(request: Request, challenge: Challenge, **changes: Any) -> Request:
    """The request again, next in sequence, with the answer to a challenge.

    ``changes``: ``user``, ``password``, ``count``, ``uri``, ``cseq``, or any field of the credentials.
    """
    user, password = changes.pop("user", USER), changes.pop("password", PASSWORD)
    secret = secret_of(challenge.algorithm or "", user, challenge.realm, password)
    number = changes.pop("cseq", request.cseq.number + 1)
    uri, count = changes.pop("uri", request.uri), changes.pop("count", 1)
    credentials = answer(challenge, user, secret, request.method, uri, count, "0a4f113b")
    return with_row(request, format_credentials(credentials._replace(**changes)), number)


def with_row(request: Request, value: str, number: int = 2) -> Request:
    """The request again with another number in sequence, and one more Proxy-Authorization."""
    again = request.fork()
    again.set("cseq", f"{number} {request.method}")
    again.set("via", request.required("via").replace("z9hG4bK", f"z9hG4bK{number}"))
    again.append("proxy-authorization", value)
    message = parse(again.encode())
    if not isinstance(message, Request):
        raise TypeError("not a request")
    return message


class Telephone:
    """A user agent at an address nobody knows."""

    def __init__(self, stage: Stage, endpoint: Endpoint = ROAMING) -> None:
        self.stage = stage
        self.endpoint = endpoint
        self.agent: UserAgent = stage.agent(endpoint, "telephone")

    def call(self, request: Request | None = None, seconds: float = 2.0) -> Response:
        """Send a request and give the last answer to it."""
        self.agent.start(request or invite(source=self.endpoint))
        self.stage.network.run(seconds)
        return self.agent.responses[-1]

    def challenged(self, **changes: Any) -> tuple[Request, Challenge]:
        """A request that was answered with a challenge, and the first one."""
        request = invite(source=self.endpoint, **changes)
        response = self.call(request)
        if response.code != 407:
            raise AssertionError(f"not challenged but {response.code}")
        return request, challenges(response)[0]

    @property
    def carried(self) -> list[Request]:
        """What the carrier got of INVITEs."""
        return self.stage.requests_to(CARRIER_A, "INVITE")
