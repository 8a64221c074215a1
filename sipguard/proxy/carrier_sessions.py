"""What carriers last asked for: with it the next request brings its credentials along, and is not challenged at all.

One challenge is kept for each trunk, with how often it was answered (the nonce count, RFC 7616 §3.4) and what the
trunk's password becomes for it. A carrier that wants another nonce says so with a challenge, which is kept once its
first answer was taken.
"""

from sipguard.errors import MalformedValue
from sipguard.policy.trunk import Trunk
from sipguard.sip.digest import Challenge, answer, format_credentials, parse_challenge, secret_of
from sipguard.sip.message import Message

# What a challenge comes in, and what the answer to it goes in (RFC 3261 §22.2, §22.3).
ANSWERS = {"www-authenticate": "authorization", "proxy-authenticate": "proxy-authorization"}


class Session:
    """One challenge of a trunk's carrier, being answered."""

    __slots__ = ("_count", "_password", "_secret", "_username", "challenge", "header", "shared")

    def __init__(self, header: str, challenge: Challenge, username: str, password: str) -> None:
        """``header`` is what answers go in. Raises KeyError for an algorithm that is not known."""
        self.header = header
        self.challenge = challenge
        self._username = username.encode().decode("latin-1")
        self._password = password
        self._secret = secret_of(challenge.algorithm or "", username, challenge.realm, password)
        self._count = 0
        self.shared = False  # whether other requests answer with it, too

    def is_of(self, username: str, password: str) -> bool:
        """Whether these are still the trunk's user name and password."""
        return self._username == username.encode().decode("latin-1") and self._password == password

    def answer(self, method: str, uri: str, cnonce: str) -> str:
        """A header field value that answers the challenge once more."""
        self._count += 1
        return format_credentials(
            answer(self.challenge, self._username, self._secret, method, uri, self._count, cnonce)
        )


class CarrierSessions:
    """The last challenge by trunk name."""

    __slots__ = ("_sessions",)

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}

    def of(self, trunk: Trunk, password: str) -> Session | None:
        """What the trunk's carrier asked for last, if that was of the same user and password."""
        session = self._sessions.get(trunk.name)
        return session if session is not None and session.is_of(trunk.username or "", password) else None

    def keep(self, trunk: Trunk, session: Session) -> None:
        """The carrier asks for this now."""
        self._sessions[trunk.name] = session

    def forget(self, trunk: Trunk) -> None:
        """It did not take the answer."""
        self._sessions.pop(trunk.name, None)


def challenges_in(response: Message, realm: str | None) -> list[tuple[str, Challenge]]:
    """The challenges of a 401 or 407 that a trunk's credentials are meant for, in their order.

    Each is with the header field its answer goes in. ``realm`` is the only one to answer; None: any.
    """
    found = []
    for name, header in ANSWERS.items():
        for value in response.values(name):
            try:
                challenge = parse_challenge(value)
            except MalformedValue:
                continue
            if realm is None or challenge.realm == realm:
                found.append((header, challenge))
    return found
