"""What the chain decided: a frozen value that carries its reasons."""

from dataclasses import dataclass

from sipguard.policy.rules import RULES, Family


@dataclass(frozen=True, slots=True)
class Decision:
    """Forward the call (``code`` 0), or refuse it with this answer because of this rule."""

    code: int = 0
    phrase: str = ""
    rule: str = ""
    detail: str = ""
    alert: bool = False

    @property
    def forward(self) -> bool:
        """Whether the call goes on."""
        return self.code == 0

    @property
    def reason(self) -> str | None:
        """The Reason header of the refusal (RFC 3326), None where the code already says it all."""
        rule = RULES.get(self.rule)
        if rule is None or rule.family is Family.STIR:
            return None
        return f'SIP;cause={self.code};text="{self.rule}"'


FORWARD = Decision()
