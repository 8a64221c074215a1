"""Putting an account into a state from the command line, and showing whom that touches."""

from sipguard.cli.commands import checked
from sipguard.cli.output import done
from sipguard.policy.account import AccountState
from sipguard.registry import Registry
from sipguard.registry.values import remark

_SHOWN = 20  # accounts below that are named


def put_into(
    registry: Registry, name: str, state: AccountState, reason: str | None, as_json: bool, *, force: bool = False
) -> None:
    """Change the state; say what is in force now, of the account and of those below it."""
    with checked():
        why = None if reason is None else remark(reason)
    changes = registry.accounts.put_into(name, state, reason=why, force=force)
    in_force = registry.effective_accounts()[name].state
    below = [change for change in changes if change.name != name]
    lines = [f"account {name} is {state}"]
    if in_force is not state:
        lines[0] += f", but {in_force} by an account above it"
    lines += [f"  {change.name}: {change.before} -> {change.after}" for change in below[:_SHOWN]]
    if len(below) > _SHOWN:
        lines.append(f"  and {len(below) - _SHOWN} more below it")
    record = {
        "name": name,
        "state": state,
        "in_force": in_force,
        "reason": why,
        "below": [change._asdict() for change in below],
    }
    done("\n".join(lines), record, as_json)
