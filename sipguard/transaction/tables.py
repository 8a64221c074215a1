"""The four state machines as data: (state, input) -> (next state, actions). An absent pair means: ignore the input.

Reading a row is reading the RFC's figure: RFC 6026 §8 figures 5 and 7 for INVITE, RFC 3261 figures 6 and 8 for the
rest, with RFC 4320 applied (the transaction user's provisional responses to a non-INVITE request have no row, so they
are never sent) and the CANCEL rules of RFC 3261 §9.1 drawn in. Actions are performed in order, after the state
changed; those that call the transaction user stand last, because it may come straight back with the next input.

``compile_table`` turns a table into rows indexed by state and input that hold functions, which is what runs.
"""

from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Any, TypeVar

from sipguard.transaction.states import ClientInput as In
from sipguard.transaction.states import ClientState as Client
from sipguard.transaction.states import ServerInput as Event
from sipguard.transaction.states import ServerState as Server


class Action(IntEnum):
    """What a transition does."""

    SEND = 0  # the request, or the response the user gave
    SEND_AGAIN = 1  # what this state retransmits
    SEND_ACK = 2
    KEEP_REASON = 3  # the Reason values the CANCEL will carry
    SEND_CANCEL = 4
    SEND_TRYING = 5
    RESTART_A = 6  # after twice the interval
    RESTART_E = 7  # after twice the interval, at most T2
    RESTART_E_AT_T2 = 8
    RESTART_G = 9  # after twice the interval, at most T2
    STOP_TIMERS = 10
    START_A = 11
    START_B = 12
    START_D = 13
    START_E = 14
    START_F = 15
    START_G = 16
    START_H = 17
    START_I = 18
    START_J = 19
    START_K = 20
    START_L = 21
    START_M = 22
    START_CANCEL_TIMEOUT = 23
    START_EXPIRY = 24
    END = 25
    TELL_RESPONSE = 26
    TELL_ACK = 27
    TELL_TIMEOUT = 28
    TELL_UNREACHABLE = 29
    TELL_GONE = 30


State = TypeVar("State", bound=IntEnum)
Input = TypeVar("Input", bound=IntEnum)
Table = Mapping[tuple[State, Input], tuple[State, tuple[Action, ...]]]

_TO_ACCEPTED = (Client.ACCEPTED, (Action.START_M, Action.TELL_RESPONSE))
_TO_COMPLETED = (Client.COMPLETED, (Action.SEND_ACK, Action.START_D, Action.TELL_RESPONSE))
_TIMED_OUT = (Client.TERMINATED, (Action.END, Action.TELL_TIMEOUT))
_UNREACHABLE = (Client.TERMINATED, (Action.END, Action.TELL_UNREACHABLE))
_CLIENT_OVER = (Client.TERMINATED, (Action.END,))

INVITE_CLIENT: Table[Client, In] = {
    (Client.INITIAL, In.START): (Client.CALLING, (Action.SEND, Action.START_A, Action.START_B)),
    (Client.CALLING, In.TIMER_A): (Client.CALLING, (Action.SEND_AGAIN, Action.RESTART_A)),
    (Client.CALLING, In.TIMER_B): _TIMED_OUT,
    (Client.CALLING, In.PROVISIONAL): (Client.PROCEEDING, (Action.STOP_TIMERS, Action.TELL_RESPONSE)),
    (Client.CALLING, In.SUCCESS): _TO_ACCEPTED,
    (Client.CALLING, In.FAILURE): _TO_COMPLETED,
    (Client.CALLING, In.TRANSPORT_ERROR): _UNREACHABLE,
    (Client.CALLING, In.CANCEL): (Client.CANCEL_DEFERRED, (Action.KEEP_REASON,)),
    (Client.CANCEL_DEFERRED, In.TIMER_A): (Client.CANCEL_DEFERRED, (Action.SEND_AGAIN, Action.RESTART_A)),
    (Client.CANCEL_DEFERRED, In.TIMER_B): _TIMED_OUT,
    (Client.CANCEL_DEFERRED, In.PROVISIONAL): (
        Client.CANCELLED,
        (Action.SEND_CANCEL, Action.START_CANCEL_TIMEOUT, Action.TELL_RESPONSE),
    ),
    (Client.CANCEL_DEFERRED, In.SUCCESS): _TO_ACCEPTED,
    (Client.CANCEL_DEFERRED, In.FAILURE): _TO_COMPLETED,
    (Client.CANCEL_DEFERRED, In.TRANSPORT_ERROR): _UNREACHABLE,
    (Client.PROCEEDING, In.PROVISIONAL): (Client.PROCEEDING, (Action.TELL_RESPONSE,)),
    (Client.PROCEEDING, In.SUCCESS): _TO_ACCEPTED,
    (Client.PROCEEDING, In.FAILURE): _TO_COMPLETED,
    (Client.PROCEEDING, In.TRANSPORT_ERROR): _UNREACHABLE,
    (Client.PROCEEDING, In.CANCEL): (
        Client.CANCELLED,
        (Action.KEEP_REASON, Action.SEND_CANCEL, Action.START_CANCEL_TIMEOUT),
    ),
    (Client.CANCELLED, In.PROVISIONAL): (Client.CANCELLED, (Action.TELL_RESPONSE,)),
    (Client.CANCELLED, In.SUCCESS): _TO_ACCEPTED,
    (Client.CANCELLED, In.FAILURE): _TO_COMPLETED,
    (Client.CANCELLED, In.TRANSPORT_ERROR): _UNREACHABLE,
    (Client.CANCELLED, In.CANCEL_TIMEOUT): _TIMED_OUT,
    (Client.COMPLETED, In.FAILURE): (Client.COMPLETED, (Action.SEND_AGAIN,)),
    # The user has had its final response, so a failure of the ACK is no news to it.
    (Client.COMPLETED, In.TRANSPORT_ERROR): _CLIENT_OVER,
    (Client.COMPLETED, In.TIMER_D): _CLIENT_OVER,
    (Client.ACCEPTED, In.SUCCESS): (Client.ACCEPTED, (Action.TELL_RESPONSE,)),
    (Client.ACCEPTED, In.TIMER_M): _CLIENT_OVER,
}

_ANSWERED = (Client.COMPLETED, (Action.START_K, Action.TELL_RESPONSE))

NON_INVITE_CLIENT: Table[Client, In] = {
    (Client.INITIAL, In.START): (Client.TRYING, (Action.SEND, Action.START_E, Action.START_F)),
    (Client.TRYING, In.TIMER_E): (Client.TRYING, (Action.SEND_AGAIN, Action.RESTART_E)),
    (Client.TRYING, In.TIMER_F): _TIMED_OUT,
    (Client.TRYING, In.PROVISIONAL): (Client.PROCEEDING, (Action.TELL_RESPONSE,)),
    (Client.TRYING, In.SUCCESS): _ANSWERED,
    (Client.TRYING, In.FAILURE): _ANSWERED,
    (Client.TRYING, In.TRANSPORT_ERROR): _UNREACHABLE,
    (Client.PROCEEDING, In.TIMER_E): (Client.PROCEEDING, (Action.SEND_AGAIN, Action.RESTART_E_AT_T2)),
    (Client.PROCEEDING, In.TIMER_F): _TIMED_OUT,
    (Client.PROCEEDING, In.PROVISIONAL): (Client.PROCEEDING, (Action.TELL_RESPONSE,)),
    (Client.PROCEEDING, In.SUCCESS): _ANSWERED,
    (Client.PROCEEDING, In.FAILURE): _ANSWERED,
    (Client.PROCEEDING, In.TRANSPORT_ERROR): _UNREACHABLE,
    (Client.COMPLETED, In.TIMER_K): _CLIENT_OVER,
}

_SERVER_OVER = (Server.TERMINATED, (Action.END, Action.TELL_GONE))

INVITE_SERVER: Table[Server, Event] = {
    (Server.PROCEEDING, Event.RETRANSMISSION): (Server.PROCEEDING, (Action.SEND_AGAIN,)),
    (Server.PROCEEDING, Event.TRYING_DUE): (Server.PROCEEDING, (Action.SEND_TRYING,)),
    (Server.PROCEEDING, Event.PROVISIONAL): (Server.PROCEEDING, (Action.STOP_TIMERS, Action.SEND)),
    (Server.PROCEEDING, Event.SUCCESS): (Server.ACCEPTED, (Action.SEND, Action.START_L)),
    (Server.PROCEEDING, Event.FAILURE): (Server.COMPLETED, (Action.SEND, Action.START_H, Action.START_G)),
    (Server.PROCEEDING, Event.SINGLE): (Server.TERMINATED, (Action.SEND, Action.END, Action.TELL_GONE)),
    (Server.COMPLETED, Event.RETRANSMISSION): (Server.COMPLETED, (Action.SEND_AGAIN,)),
    (Server.COMPLETED, Event.TIMER_G): (Server.COMPLETED, (Action.SEND_AGAIN, Action.RESTART_G)),
    (Server.COMPLETED, Event.TIMER_H): _SERVER_OVER,
    (Server.COMPLETED, Event.ACK): (Server.CONFIRMED, (Action.START_I,)),
    (Server.CONFIRMED, Event.TIMER_I): _SERVER_OVER,
    (Server.ACCEPTED, Event.SUCCESS): (Server.ACCEPTED, (Action.SEND,)),
    (Server.ACCEPTED, Event.ACK): (Server.ACCEPTED, (Action.TELL_ACK,)),
    (Server.ACCEPTED, Event.TIMER_L): _SERVER_OVER,
}

_REPLIED = (Server.COMPLETED, (Action.SEND, Action.START_J))

NON_INVITE_SERVER: Table[Server, Event] = {
    (Server.TRYING, Event.TRYING_DUE): (Server.PROCEEDING, (Action.SEND_TRYING, Action.START_EXPIRY)),
    (Server.TRYING, Event.SUCCESS): _REPLIED,
    (Server.TRYING, Event.FAILURE): _REPLIED,
    (Server.TRYING, Event.SINGLE): (Server.TERMINATED, (Action.SEND, Action.END, Action.TELL_GONE)),
    (Server.PROCEEDING, Event.RETRANSMISSION): (Server.PROCEEDING, (Action.SEND_AGAIN,)),
    (Server.PROCEEDING, Event.SUCCESS): _REPLIED,
    (Server.PROCEEDING, Event.FAILURE): _REPLIED,
    (Server.PROCEEDING, Event.EXPIRED): _SERVER_OVER,
    (Server.COMPLETED, Event.RETRANSMISSION): (Server.COMPLETED, (Action.SEND_AGAIN,)),
    (Server.COMPLETED, Event.TIMER_J): _SERVER_OVER,
}

Transaction = TypeVar("Transaction")
# What performs an action: (transaction, what came with the input, now). What comes is the response or request received,
# the response or CANCEL reasons the user gives, None with a timer: it follows from the input, which a type can't say.
Performer = Callable[[Transaction, Any, float], None]
Transition = tuple[State, tuple[Performer[Transaction], ...]]
Machine = tuple[tuple[Transition[State, Transaction] | None, ...], ...]


def compile_table(
    table: Table[State, Input],
    states: type[State],
    inputs: type[Input],
    performers: Mapping[Action, Performer[Transaction]],
) -> Machine[State, Transaction]:
    """The table as ``machine[state][input]``: None, or the next state and the functions to call.

    An action without a performer is left out, which is how a machine runs without a user to tell.
    """
    rows = []
    for state in states:
        row: list[Transition[State, Transaction] | None] = []
        for event in inputs:
            transition = table.get((state, event))
            if transition is None:
                row.append(None)
                continue
            target, actions = transition
            row.append((target, tuple(performers[action] for action in actions if action in performers)))
        rows.append(tuple(row))
    return tuple(rows)
