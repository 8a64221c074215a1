"""Whatever comes through the engine's doors in whatever order, nothing raises, nothing is logged as an error, all that
leaves is well-formed, and after a long silence every transaction has ended, nothing waits and no call is up.

The input is a script of steps with a line of two hyphens between them. A step is a letter, a character that chooses
(a source, or which of what went before), and what comes with it:

    R  octets that arrive        A  an answer to something that was sent, with this code
    =  octets that came before   ?  the answer to a question of the engine's, good when there is more
    X  a connection is lost      .  so many tenths of a second pass         D  drain
"""

from sipguard.sip.flow import Flow
from tests.properties.chaos import SAMPLES, SOURCES, Chaos

SEPARATOR = b"\n--\n"
MOST_STEPS = 40
FLOWS = [Flow(0, "udp", *source) for source in SOURCES] + [Flow(1, "tcp", *source, 3) for source in SOURCES]


def check(data: bytes) -> None:
    """The invariant, for one script; its first octet chooses among the sample operators."""
    chaos = Chaos(SAMPLES[data[0] % len(SAMPLES)] if data else SAMPLES[0])
    for step in data[1:].split(SEPARATOR)[:MOST_STEPS]:
        play(chaos, step[:1], step[1] if len(step) > 1 else 0, step[2:])
    chaos.settle()


def play(chaos: Chaos, door: bytes, which: int, rest: bytes) -> None:
    """Do one step; an unknown one is nothing."""
    if door == b"R":
        chaos.step("receive", rest, FLOWS[which % len(FLOWS)])
    elif door == b"=":
        chaos.step("again", which, None)
    elif door == b"A":
        chaos.step("answer", which, number(rest, 100, 699))
    elif door == b"?":
        chaos.step("complete", which, bool(rest))
    elif door == b"X":
        chaos.step("lost", which, None)
    elif door == b".":
        chaos.step("tick", number(rest, 0, 2000) / 10, None)
    elif door == b"D":
        chaos.step("drain", None, None)


def number(text: bytes, least: int, most: int) -> int:
    """The number a step names, bent into its range."""
    digits = text[:5]
    return least + (int(digits) if digits.isdigit() else len(text)) % (most - least + 1)
