"""Draws the tables as mermaid state diagrams: ``python -m sipguard.transaction.diagram > docs/state-machines.md``.

The document can't disagree with the code, because the code runs the same tables; a test compares the two.
"""

import sys
from enum import IntEnum

from sipguard.transaction.states import ServerState
from sipguard.transaction.tables import (
    INVITE_CLIENT,
    INVITE_SERVER,
    NON_INVITE_CLIENT,
    NON_INVITE_SERVER,
    Input,
    State,
    Table,
)

_HEAD = """# State machines

Generated from `sipguard/transaction/tables.py` by `python -m sipguard.transaction.diagram`; do not edit.
An input that is not drawn at a state is ignored there. Before the slash stands what happens, after it what is done.
"""
_CLIENT_INPUTS = {
    "START": "request from user",
    "PROVISIONAL": "1xx",
    "SUCCESS": "2xx",
    "FAILURE": "300-699",
    "CANCEL": "cancel from user",
}
_SERVER_INPUTS = {
    "PROVISIONAL": "1xx from user",
    "SUCCESS": "2xx from user",
    "FAILURE": "300-699 from user",
    "TRYING_DUE": "100 is owed",
    "SINGLE": "300-699 from user, to be forgotten",
}


def document() -> str:
    """The whole of docs/state-machines.md."""
    return "\n".join(
        (
            _HEAD,
            "## INVITE client transaction\n\nRFC 6026 §8.4 figure 5, RFC 3261 §9.1\n",
            _diagram(INVITE_CLIENT, _CLIENT_INPUTS),
            "## Non-INVITE client transaction\n\nRFC 3261 §17.1.2 figure 6\n",
            _diagram(NON_INVITE_CLIENT, _CLIENT_INPUTS),
            "## INVITE server transaction\n\nRFC 6026 §8.6 figure 7\n",
            _diagram(INVITE_SERVER, _SERVER_INPUTS, ServerState.PROCEEDING),
            "## Non-INVITE server transaction\n\nRFC 3261 §17.2.2 figure 8, RFC 4320 §4\n",
            _diagram(NON_INVITE_SERVER, _SERVER_INPUTS, ServerState.TRYING),
        )
    )


def _diagram(table: Table[State, Input], inputs: dict[str, str], first: IntEnum | None = None) -> str:
    """One machine; ``first`` is where a server transaction begins, on the request itself."""
    lines = ["```mermaid", "stateDiagram-v2"]
    if first is not None:
        lines.append(f"    [*] --> {_spoken(first)}: request / tell request")
    for (state, event), (target, actions) in table.items():
        happens = inputs.get(event.name) or _words(event)
        doing = ", ".join(_words(action) for action in actions) or "nothing"
        lines.append(f"    {_spoken(state)} --> {_spoken(target)}: {happens} / {doing}")
    return "\n".join((*lines, "```", ""))


def _spoken(state: IntEnum) -> str:
    """A state's name in the diagram; the first and the last are mermaid's own dot."""
    return "[*]" if state.name in ("INITIAL", "TERMINATED") else state.name.title().replace("_", "")


def _words(member: IntEnum) -> str:
    """TIMER_A as "timer A", SEND_ACK as "send ACK"."""
    known = {"timer": "Timer", "ack": "ACK", "cancel": "CANCEL", "t2": "T2"}
    words = [word.upper() if len(word) == 1 else known.get(word, word) for word in member.name.lower().split("_")]
    return " ".join(words)


if __name__ == "__main__":
    sys.stdout.write(document())
