"""What the chain decided: a frozen value that carries its reasons."""

from dataclasses import dataclass

from sipguard.policy.rules import RULES, Family
from sipguard.policy.settings import PolicySettings


@dataclass(frozen=True, slots=True)
class Decision:
    """Forward the call (``code`` 0), or refuse it with this answer because of this rule."""

    code: int = 0
    phrase: str = ""
    rule: str = ""
    detail: str = ""
    alert: bool = False
    emergency: str = ""  # the emergency number that was dialled, of a refused call for help

    @property
    def forward(self) -> bool:
        """Whether the call goes on."""
        return self.code == 0

    def reason(self, policy: PolicySettings) -> str | None:
        """The Reason header of the refusal (RFC 3326), None where the code already says it all.

        An analytics refusal tells the caller where to seek redress (ATIS-1000099 "603+").
        """
        rule = RULES.get(self.rule)
        if rule is None or rule.family is Family.STIR:
            return None
        if rule.family is Family.ANALYTICS:
            text = f"v=analytics1;url={policy.redress_url};tel={policy.redress_telephone}"
            return f'Q.850;cause=21;location=LN;text="{text}"'
        return f'SIP;cause={self.code};text="{self.rule}"'


FORWARD = Decision()
