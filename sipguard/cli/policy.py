"""``sipguard policy``: the published table of rules, with the modes in force."""

from sipguard.cli.commands import DEFAULT_CONFIG, ConfigOption, JsonOption, noun
from sipguard.cli.output import show
from sipguard.config import load
from sipguard.policy.rules import TABLE

app = noun("policy", "The rules every call is judged by.", "sipguard policy show")


@app.command("show", epilog="Example: sipguard policy show --json")
def show_rules(as_json: JsonOption = False, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Print the rules in the order they are asked, with the mode in force and the answer of each."""
    policy = load(config).policy
    records = [
        {
            "rule": rule.name,
            "mode": policy.rules[rule.name].mode if rule.name in policy.rules else rule.mode,
            "default": rule.mode,
            "family": rule.family,
            "answer": f"{rule.code} {rule.phrase}",
            "meaning": rule.meaning,
            "revision": policy.revision,
        }
        for rule in TABLE
    ]
    show(records, as_json)


@app.callback()
def group() -> None:
    """The rules every call is judged by."""
