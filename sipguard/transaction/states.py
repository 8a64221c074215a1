"""The states of the transactions and the inputs that move them (RFC 3261 §17, RFC 6026 §7).

Timer inputs are named after the RFC's timers; the number of an input is also the ``kind`` its timer is started with.
"""

from enum import IntEnum


class ClientState(IntEnum):
    """States of the two client transactions.

    Two states the figures leave to the reader are spelled out: CANCEL_DEFERRED is Calling with a CANCEL that
    may not leave before a provisional response came, CANCELLED is Proceeding after the CANCEL left (§9.1).
    """

    INITIAL = 0
    CALLING = 1
    CANCEL_DEFERRED = 2
    TRYING = 3
    PROCEEDING = 4
    CANCELLED = 5
    COMPLETED = 6
    ACCEPTED = 7
    TERMINATED = 8


class ClientInput(IntEnum):
    """What can happen to a client transaction."""

    START = 0
    PROVISIONAL = 1
    SUCCESS = 2
    FAILURE = 3
    CANCEL = 4
    TRANSPORT_ERROR = 5
    TIMER_A = 6
    TIMER_B = 7
    TIMER_D = 8
    TIMER_E = 9
    TIMER_F = 10
    TIMER_K = 11
    TIMER_M = 12
    CANCEL_TIMEOUT = 13


class ServerState(IntEnum):
    """States of the two server transactions."""

    TRYING = 0
    PROCEEDING = 1
    COMPLETED = 2
    CONFIRMED = 3
    ACCEPTED = 4
    TERMINATED = 5


class ServerInput(IntEnum):
    """What can happen to a server transaction.

    TRYING_DUE is the moment the layer itself owes a 100 (Trying); EXPIRED the end of a non-INVITE request nobody
    answered in time, which ends in silence (RFC 4320 §4.2); SINGLE a final response that is sent once and forgotten.
    """

    RETRANSMISSION = 0
    ACK = 1
    PROVISIONAL = 2
    SUCCESS = 3
    FAILURE = 4
    TRYING_DUE = 5
    TIMER_G = 6
    TIMER_H = 7
    TIMER_I = 8
    TIMER_J = 9
    TIMER_L = 10
    EXPIRED = 11
    SINGLE = 12
