"""The language the flows are written in: one line per message, drawn once, played by both sides.

    > INVITE =offer        the caller sends, with the body ``offer``
    < 183 +rel1 =answer    the called side answers, with the header rows ``rel1``
    > PRACK +rack1
    < 200 PRACK            names the request when it is not the last one that is open
    < 200 INVITE
    > ACK

A message is written by one side and read by the other, so one text gives both scenarios and both directions of a call.
Words behind it: ``unseen`` (the far side copes without expecting it), ``unsent`` (nobody's scenario sends it: it is a
repetition or a proxy's), ``tag=x`` (this answer's To tag is called x from here on; or: this request is for the dialog
with that tag), ``wait=700`` (milliseconds the sender waits before).
"""

from dataclasses import dataclass, field

_FLAGS = frozenset(("unseen", "unsent"))


@dataclass(slots=True)
class Step:
    """One message of a flow. ``request`` is the step of the request that a response, ACK or CANCEL belongs to."""

    number: int
    sender: str  # ">" the caller, "<" the called side
    method: str
    code: int | None = None
    cseq: int = 0
    request: "Step | None" = None
    inside: bool = False  # whether a dialog is there that it, or its request, belongs to
    rows: list[str] = field(default_factory=list)
    body: str | None = None
    flags: set[str] = field(default_factory=set)
    tag: str | None = None
    wait: int = 0
    answered: int | None = None  # the final code a request got
    formed: bool = False  # whether a response to it, 101 to 299, formed a dialog

    @property
    def hop_by_hop(self) -> bool:
        """Whether a proxy makes this message itself: CANCEL and its answer, 100, the ACK of a refusal."""
        if self.code is not None:
            return self.method == "CANCEL" or self.code == 100
        return self.method == "CANCEL" or (self.method == "ACK" and not self.is_ack_of_2xx)

    @property
    def is_ack_of_2xx(self) -> bool:
        """Whether it travels end to end."""
        return self.method == "ACK" and self.request is not None and (self.request.answered or 0) < 300


def parse(text: str) -> list[Step]:
    """The steps of a flow. Raises ValueError for what is no flow."""
    steps: list[Step] = []
    dialog = False
    counters = {">": 0, "<": 0}
    for line in filter(None, map(str.strip, text.splitlines())):
        sender, first, *words = line.split()
        if sender not in counters:
            raise ValueError(f"neither > nor <: {line}")
        if first.isdigit():
            named = words.pop(0) if words and words[0].isupper() else None
            step = _response(steps, sender, int(first), named, len(steps))
        else:
            step = _request(steps, sender, first, counters, len(steps))
            step.inside = dialog if step.request is None else step.request.inside or step.is_ack_of_2xx
        if step.code is not None and step.code > 100 and not step.inside and step.method != "CANCEL":
            dialog = step.code < 300
            if step.request is not None:
                step.request.formed = step.request.formed or dialog
        for word in words:
            _describe(step, word)
        steps.append(step)
    return steps


def _response(steps: list[Step], sender: str, code: int, named: str | None, number: int) -> Step:
    requests = [s for s in steps if s.code is None and s.sender != sender and s.method != "ACK"]
    if named is not None:
        requests = [s for s in requests if s.method == named]
    still_open = [s for s in requests if s.answered is None] or requests
    request = still_open[-1]
    if code >= 200:
        request.answered = code
    return Step(number, sender, request.method, code, request.cseq, request, request.inside)


def _request(steps: list[Step], sender: str, method: str, counters: dict[str, int], number: int) -> Step:
    if method in ("ACK", "CANCEL"):
        invite = next(s for s in reversed(steps) if s.code is None and s.method == "INVITE" and s.sender == sender)
        return Step(number, sender, method, None, invite.cseq, invite)
    counters[sender] += 1
    return Step(number, sender, method, None, counters[sender])


def _describe(step: Step, word: str) -> None:
    if word.startswith("+"):
        step.rows.append(word[1:])
    elif word.startswith("="):
        step.body = word[1:]
    elif word.startswith("tag="):
        step.tag = word[4:]
    elif word.startswith("wait="):
        step.wait = int(word[5:])
    elif word in _FLAGS:
        step.flags.add(word)
    else:
        raise ValueError(f"unknown word: {word}")
