"""``[policy.rules."NAME"]``: what one rule does when it matches, and for whom it does something else."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Field

from sipguard.config.call_limits import ThrottleSection
from sipguard.config.section import Section
from sipguard.config.suggestion import suggestion
from sipguard.policy.rules import Mode
from sipguard.policy.scope import Scope

_KINDS = ("account", "trunk", "number")


def _subject(text: str) -> str:
    kind, colon, name = text.partition(":")
    if not colon or kind not in _KINDS or not name:
        raise ValueError(f'"{text}" is not one of account:NAME, trunk:NAME, number:+DIGITS{suggestion(kind, _KINDS)}')
    if kind == "number" and not (name[0] == "+" and name[1:].isascii() and name[1:].isdigit()):
        raise ValueError(f'"{text}" is not written like number:+14155550100')
    return text


Subject = Annotated[str, AfterValidator(_subject)]


class RuleSection(Section):
    """Without a mode the rule has its default; ``allow`` is a shorter way to write the exception ``off``.

    ``throttle`` is for mode throttle, in place of ``limits.calls.throttle``.
    """

    mode: Mode | None = None
    allow: tuple[Subject, ...] = ()
    exceptions: Mapping[Subject, Mode] = Field(default_factory=dict)
    throttle: ThrottleSection | None = None

    def scope(self) -> Scope:
        """The exceptions as the chain reads them."""
        by_kind: dict[str, dict[str, Mode]] = {kind: {} for kind in _KINDS}
        for subject, mode in {**self.exceptions, **dict.fromkeys(self.allow, Mode.OFF)}.items():
            kind, _, name = subject.partition(":")
            by_kind[kind][name.removeprefix("+")] = mode
        return Scope(by_kind["number"], by_kind["trunk"], by_kind["account"])
