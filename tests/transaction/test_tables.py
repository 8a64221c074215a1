"""The tables themselves."""

from enum import IntEnum
from typing import Any

import pytest

from sipguard.transaction.states import ClientInput, ClientState, ServerInput, ServerState
from sipguard.transaction.tables import (
    INVITE_CLIENT,
    INVITE_SERVER,
    NON_INVITE_CLIENT,
    NON_INVITE_SERVER,
    Action,
    compile_table,
)

TABLES = [INVITE_CLIENT, NON_INVITE_CLIENT, INVITE_SERVER, NON_INVITE_SERVER]


@pytest.mark.parametrize("table", TABLES)
def test_every_state_leads_to_the_end_and_the_end_leads_nowhere(table: Any) -> None:
    """From each state of a machine TERMINATED can be reached, and no input moves a terminated transaction."""
    leads: dict[IntEnum, set[IntEnum]] = {}
    for (state, _), (target, _) in table.items():
        leads.setdefault(state, set()).add(target)
    for state in leads:
        reached = {state}
        while more := {target for known in reached for target in leads.get(known, ())} - reached:
            reached |= more
        assert any(one.name == "TERMINATED" for one in reached)
        assert state.name != "TERMINATED"


@pytest.mark.parametrize("table", TABLES)
def test_ending_and_telling_come_in_that_order(table: Any) -> None:
    """Whatever terminates ends first, and the user is told last, when everything else has been done."""
    for target, actions in table.values():
        assert (Action.END in actions) == (target.name == "TERMINATED")
        telling = [action.name.startswith("TELL_") for action in actions]
        assert telling == sorted(telling)


def test_a_compiled_table_is_indexed_by_state_and_input() -> None:
    """Each pair of the table is found at its indices with its functions; every other pair is None."""

    def note(subject: list[str], given: object, now: float) -> None:
        subject.append("told")

    table = {(ServerState.TRYING, ServerInput.ACK): (ServerState.CONFIRMED, (Action.SEND, Action.TELL_ACK))}
    machine = compile_table(table, ServerState, ServerInput, {Action.TELL_ACK: note})
    assert machine[ServerState.TRYING][ServerInput.ACK] == (ServerState.CONFIRMED, (note,))
    assert sum(transition is not None for row in machine for transition in row) == 1
    assert len(machine) == len(ServerState)


@pytest.mark.parametrize("numbers", [ClientState, ClientInput, ServerState, ServerInput])
def test_states_and_inputs_are_numbered_without_gaps(numbers: type[IntEnum]) -> None:
    """The numbers are indices."""
    assert [int(member) for member in numbers] == list(range(len(numbers)))
