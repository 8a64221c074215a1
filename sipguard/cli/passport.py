"""``sipguard passport``: sign, verify and read PASSporTs by hand, with the code that carries calls.

``decode`` only shows; ``verify`` gives the verdict the proxy would give, ``sign`` the header field it would send.
"""

import json
from pathlib import Path
from typing import Annotated

import typer

from sipguard.cli.commands import DEFAULT_CONFIG, ConfigOption, CountryOption, JsonOption, checked, noun
from sipguard.cli.output import say
from sipguard.cli.passport_report import describe, explain_claims
from sipguard.cli.passport_signing import sign
from sipguard.cli.token_input import Material, read_material
from sipguard.cli.verifier import Verifier, make_verifier, signalling_of
from sipguard.config.dial_plan import dial_plan
from sipguard.errors import SipguardError
from sipguard.runtime.clock import Clock
from sipguard.stir.telephone_number import TN, DialPlan, canonicalise
from sipguard.stir.unix_time import UnixTime
from sipguard.stir.verdict import HeaderResult, Verdict, Verstat

app = noun("passport", "PASSporTs, the tokens of Identity header fields.", "sipguard passport decode invite.sip")

TokenArgument = Annotated[
    str | None,
    typer.Argument(
        help="A token, an Identity header field, or a file with either or with a SIP message; else standard input.",
        metavar="TOKEN|FILE",
        show_default=False,
    ),
]


@app.command(epilog="Example: sipguard passport decode invite.sip")
def decode(token: TokenArgument = None, as_json: JsonOption = False) -> None:
    """Show what a token says and who says it. Nothing is verified, nothing is fetched."""
    material = _material(token)
    now = Clock().unix_time()
    reports = [describe(value, now) for value in material.identities]
    if as_json:
        print(json.dumps(reports, ensure_ascii=False, indent=1))
        return
    for number, report in enumerate(reports, 1):
        if len(reports) > 1:
            print(f"Identity {number} of {len(reports)}")
        for name in ("parameters", "header", "claims"):
            print(f"{name}: {json.dumps(report[name], ensure_ascii=False, indent=1)}")
        for line in explain_claims(report, now):
            print(f"  {line}")
        for remark in report["unusual"]:
            print(f"unusual: {remark}")


app.command(epilog="Example: sipguard passport sign --orig +12155550100 --dest +14155550123 --attest A")(sign)


@app.command(epilog="Example: sipguard passport verify invite.sip --anchors anchors.pem --certificate leaf.pem")
def verify(
    token: TokenArgument = None,
    anchors: Annotated[
        Path | None, typer.Option(help="The authorities to trust; else those of the configuration.", metavar="FILE")
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option(help="The signer's chain, in place of what the token's URL serves.", metavar="FILE")
    ] = None,
    fetch: Annotated[bool, typer.Option("--fetch", help="Fetch the chain as a call would.")] = False,
    orig: Annotated[str | None, typer.Option(help="The calling number.", metavar="NUMBER")] = None,
    dest: Annotated[str | None, typer.Option(help="The called number.", metavar="NUMBER")] = None,
    at: Annotated[int | None, typer.Option(min=1, help="Judge as of then, not now.", metavar="SECONDS")] = None,
    country: CountryOption = "US",
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Give the verdict on a token. Exit code 1 unless it is TN-Validation-Passed.

    The numbers of a SIP message are held against the token's, as on a call; without a message they are those of --orig
    and --dest, or go unchecked.
    """
    with checked():
        if fetch and certificate is not None:
            raise ValueError("--certificate takes the place of --fetch")
    material, plan = _material(token), _plan(country)
    now = UnixTime(at) if at else Clock().unix_time()
    with checked():
        caller, called = (None if text is None else _number(text, plan) for text in (orig, dest))
    judge = make_verifier(config, anchors, certificate, fetch, now)
    verdict = judge.verdict(material.identities, signalling_of(material, plan, caller, called))
    unchecked = [name for name, given in (("orig", orig), ("dest", dest)) if material.request is None and not given]
    _show_verdict(verdict, judge, unchecked, as_json)
    if verdict.verstat is not Verstat.PASSED:
        raise typer.Exit(1)


def _material(token: str | None) -> Material:
    material = read_material(token)
    if not material.identities:
        raise SipguardError("the message has no Identity header field")
    return material


def _plan(country: str) -> DialPlan:
    with checked():
        return dial_plan(country)


def _number(text: str, plan: DialPlan) -> TN:
    number = canonicalise(text.replace(" ", ""), plan)
    if number is None:
        raise ValueError(f'"{text}" is not a telephone number')
    return number


def _show_verdict(verdict: Verdict, judge: Verifier, unchecked: list[str], as_json: bool) -> None:
    if as_json:
        record = {
            "verstat": verdict.verstat,
            "reason": verdict.reason,
            "code": verdict.code,
            "attest": verdict.attest,
            "priority": verdict.priority,
            "headers": [_result(result) for result in verdict.results],
            "not_fetched": judge.not_fetched,
            "unchecked": unchecked,
        }
        print(json.dumps(record, ensure_ascii=False, default=str))
        return
    print(verdict.verstat.value)
    for result in verdict.results:
        print(f"  {_line(result)}")
    for url, why in judge.not_fetched.items():
        say(f"note: the certificate at {url} was not fetched: {why}")
    for name in unchecked:
        say(f"note: {name} was not compared with a call; name --{name}, or give the SIP message")


def _result(result: HeaderResult) -> dict[str, object]:
    """One header's result as members; what its type adds by name too."""
    extension = None if result.extension is None else result.extension._asdict()
    return {**result._asdict(), "extension": extension}


def _line(result: HeaderResult) -> str:
    words = [result.ppt or "no ppt", "good" if result.reason is None else f"{result.reason} ({result.reason.code})"]
    if result.detail:
        words.append(f": {result.detail}")
    words += [f", {name} {value}" for name, value in (("attest", result.attest), ("SPC", result.spc)) if value]
    return f"{words[0]} {words[1]}{''.join(words[2:])}"
