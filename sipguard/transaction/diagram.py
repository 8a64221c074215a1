"""Draws the tables as mermaid state diagrams: ``python -m sipguard.transaction.diagram > docs/state-machines.md``.

The document can't disagree with the code, because the code runs the same tables; a test compares the two.
"""

import sys
from enum import IntEnum

from sipguard.transaction.states import ClientInput, ServerInput, ServerState
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
An input that is not drawn at a state is ignored there. Above each slash is what happens, below it what we do.
"""
_LABELS: dict[IntEnum, str] = {
    ClientInput.START: "request from user",
    ClientInput.PROVISIONAL: "1xx",
    ClientInput.SUCCESS: "2xx",
    ClientInput.FAILURE: "300-699",
    ClientInput.CANCEL: "cancel from user",
    ServerInput.PROVISIONAL: "1xx from user",
    ServerInput.SUCCESS: "2xx from user",
    ServerInput.FAILURE: "300-699 from user",
    ServerInput.TRYING_DUE: "100 is owed",
    ServerInput.ACK: "ACK",
}


def document() -> str:
    """The whole of docs/state-machines.md."""
    return "\n".join(
        (
            _HEAD,
            _section("INVITE client transaction", "RFC 6026 §8.4 figure 5; RFC 3261 §9.1", INVITE_CLIENT, None),
            _section("Non-INVITE client transaction", "RFC 3261 §17.1.2 figure 6", NON_INVITE_CLIENT, None),
            _section(
                "INVITE server transaction",
                "RFC 6026 §8.7 figure 7",
                INVITE_SERVER,
                ServerState.PROCEEDING,
            ),
            _section(
                "Non-INVITE server transaction",
                "RFC 3261 §17.2.2 figure 8; RFC 4320 §4",
                NON_INVITE_SERVER,
                ServerState.TRYING,
            ),
        )
    )


def _section(title: str, clause: str, table: Table[State, Input], first: IntEnum | None) -> str:
    """One heading and its diagram; ``first`` is where a server transaction begins, on the request itself."""
    lines = [f"## {title}", "", clause, "", "```mermaid", "stateDiagram-v2"]
    if first is not None:
        lines.append(f"    [*] --> {_spoken(first)}: request / request to user")
    for (state, event), (target, actions) in table.items():
        doing = ", ".join(_words(action) for action in actions) or "nothing"
        lines.append(f"    {_spoken(state)} --> {_spoken(target)}: {_LABELS.get(event) or _words(event)} / {doing}")
    return "\n".join((*lines, "```", ""))


def _spoken(state: IntEnum) -> str:
    """A state's name in the diagram; the first and the last are mermaid's own dot."""
    return "[*]" if state.name in ("INITIAL", "TERMINATED") else state.name.title().replace("_", "")


def _words(member: IntEnum) -> str:
    """TIMER_A as "timer A", SEND_ACK as "send ACK"."""
    known = {"ack": "ACK", "cancel": "CANCEL", "at": "at", "t2": "T2"}
    words = [word.upper() if len(word) == 1 else known.get(word, word) for word in member.name.lower().split("_")]
    return " ".join(words)


if __name__ == "__main__":
    sys.stdout.write(document())
