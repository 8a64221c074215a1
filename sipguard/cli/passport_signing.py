"""``sipguard passport sign``: a PASSporT of any type that sipguard writes, by hand.

Every type has options of its own; one that does not belong to the type asked for is an error of usage, because it would
change nothing. Numbers are read as they are dialled, URIs are normalised (RFC 8224 §8.5).
"""

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from sipguard.cli.commands import DEFAULT_CONFIG, ConfigOption, CountryOption, JsonOption, checked
from sipguard.cli.output import say
from sipguard.cli.passport_report import describe
from sipguard.config import load
from sipguard.config.dial_plan import dial_plan
from sipguard.errors import SipguardError
from sipguard.runtime.clock import Clock
from sipguard.runtime.composition import build
from sipguard.runtime.secret_files import read_public_file, read_secret_file
from sipguard.sip.date import format_date
from sipguard.sip.uri import parse_uri
from sipguard.stir.attestation import Attestation
from sipguard.stir.authentication import Signer, load_signer
from sipguard.stir.passport_writer import sign_base, sign_div, sign_rcd, sign_rph
from sipguard.stir.strict_json import parse_object
from sipguard.stir.telephone_number import TN, DialPlan, canonicalise, normalise_uri, tn_of_uri
from sipguard.stir.unix_time import UnixTime


class Ppt(StrEnum):
    """The types that can be signed; ``base`` is that of a PASSporT without one."""

    SHAKEN = "shaken"
    BASE = "base"
    RPH = "rph"
    RCD = "rcd"
    DIV = "div"


_OWNERS = {
    "attest": Ppt.SHAKEN, "origid": Ppt.SHAKEN, "compact": Ppt.BASE, "auth": Ppt.RPH, "callback": Ppt.RPH,
    "nam": Ppt.RCD, "rcd": Ppt.RCD, "linked": Ppt.RCD, "crn": Ppt.RCD, "div": Ppt.DIV, "hi": Ppt.DIV,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Extras:
    """What the options say beside the numbers; None or empty where nothing was said."""

    attest: Attestation | None
    origid: uuid.UUID | None
    compact: bool
    auth: Sequence[str]
    callback: bool
    nam: str | None
    rcd: Path | None
    linked: Sequence[str]
    crn: str | None
    div: str | None
    hi: str | None

    def check(self, ppt: Ppt) -> None:
        """That they belong to this type, and what it needs is there. Raises ValueError."""
        for name, owner in _OWNERS.items():
            if getattr(self, name) and owner is not ppt:
                raise ValueError(f"--{name} is for --ppt {owner.value}")
        if ppt is Ppt.RPH and not self.auth:
            raise ValueError("--ppt rph needs --auth")
        if ppt is Ppt.RCD and (self.nam is None) is (self.rcd is None):
            raise ValueError("--ppt rcd needs --nam or --rcd, and not both")
        if ppt is Ppt.DIV and self.div is None:
            raise ValueError("--ppt div needs --div")


def sign(
    orig: Annotated[str, typer.Option(help="The calling number.", metavar="NUMBER", show_default=False)],
    dest: Annotated[
        list[str],
        typer.Option(
            help="A called number or URI; repeat it. Of a div, the new one.", metavar="NUMBER", show_default=False
        ),
    ],
    ppt: Annotated[Ppt, typer.Option(help="The type.")] = Ppt.SHAKEN,
    attest: Annotated[Attestation | None, typer.Option(help="What is vouched for; C when left out.")] = None,
    origid: Annotated[
        uuid.UUID | None, typer.Option(help="The origination identifier; random when left out.", metavar="UUID")
    ] = None,
    compact: Annotated[bool, typer.Option("--compact", help="The compact form of a base PASSporT.")] = False,
    auth: Annotated[list[str] | None, typer.Option(help="A priority, like ets.0; repeat it.", metavar="VALUE")] = None,
    callback: Annotated[bool, typer.Option("--callback", help="The call back of an emergency centre.")] = False,
    nam: Annotated[str | None, typer.Option(help="The caller's name.", metavar="NAME")] = None,
    rcd: Annotated[
        Path | None, typer.Option(help="Or all rich call data: nam, and apn, icn, jcd or jcl, in JSON.", metavar="FILE")
    ] = None,
    linked: Annotated[
        list[str] | None,
        typer.Option(
            help="What is behind a URL of it, for its digest, like /icn=logo.png; repeat it.", metavar="POINTER=FILE"
        ),
    ] = None,
    crn: Annotated[str | None, typer.Option(help="The reason for the call.", metavar="TEXT")] = None,
    div: Annotated[str | None, typer.Option(help="The diverting number, called before.", metavar="NUMBER")] = None,
    hi: Annotated[str | None, typer.Option(help="Its History-Info index.", metavar="INDEX")] = None,
    iat: Annotated[int | None, typer.Option(min=1, help="Issued at; now when left out.", metavar="SECONDS")] = None,
    signer: Annotated[str, typer.Option(help="A certificate of stir.sign.certificates.", metavar="NAME")] = "default",
    certificate: Annotated[Path | None, typer.Option(help="Or the chain, leaf first.", metavar="FILE")] = None,
    key: Annotated[Path | None, typer.Option(help="Its private key.", metavar="FILE")] = None,
    url: Annotated[str | None, typer.Option(help="Where verifiers fetch the chain.", metavar="URL")] = None,
    country: CountryOption = "US",
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Sign a PASSporT and print the Identity header field.

    With a certificate of the configuration, or with --certificate, --key and --url.
    """  # fmt: skip
    issued = UnixTime(iat or Clock().unix_time())
    extras = Extras(attest, origid, compact, auth or (), callback, nam, rcd, linked or (), crn, div, hi)
    with checked():
        extras.check(ppt)
        plan = dial_plan(country)
        caller, called = _identity(orig, plan), [_identity(text, plan) for text in dest]
        diverting = None if div is None else _identity(div, plan)
        if ppt is Ppt.SHAKEN and ":" in caller:
            raise ValueError(f'"{orig}" is not a telephone number, and SHAKEN signs nothing else')
        if len({certificate is None, key is None, url is None}) > 1:
            raise ValueError("--certificate, --key and --url go together")
    if certificate is None or key is None or url is None:
        signing = _configured(config, signer)
    else:
        now = Clock().unix_time()
        signing = load_signer(str(certificate), read_public_file(certificate), read_secret_file(key), url, now)
    _note_authority(signing, diverting or caller)
    with checked():
        value = _signed(signing, ppt, caller, called, diverting, issued, extras)
    _show(value, extras.compact, issued, as_json)


def _signed(
    signer: Signer, ppt: Ppt, orig: str, dest: list[str], div: str | None, iat: UnixTime, extras: Extras
) -> str:
    """The Identity header field value. Raises ValueError where the claims cannot be."""
    if ppt is Ppt.BASE:
        return sign_base(signer, orig, dest, iat, compact=extras.compact)
    if ppt is Ppt.RPH:
        return sign_rph(signer, orig, dest, extras.auth, iat, callback=extras.callback)
    if ppt is Ppt.RCD:
        rich: dict[str, Any] = {"nam": extras.nam} if extras.rcd is None else parse_object(_file(extras.rcd))
        return sign_rcd(signer, orig, dest, iat, rich, extras.crn, dict(map(_link, extras.linked)))
    if div is not None:
        return sign_div(signer, orig, dest, div, iat, extras.hi)
    level = extras.attest or Attestation.C
    return signer.sign_shaken(TN(orig), dest, level.value, str(extras.origid or uuid.uuid4()), iat)


def _show(value: str, compact: bool, iat: UnixTime, as_json: bool) -> None:
    date = {"date": format_date(iat)} if compact else {}
    if as_json:
        print(json.dumps({"identity": value, **date, **describe(value, Clock().unix_time())}, ensure_ascii=False))
        return
    for text in date.values():
        print(f"Date: {text}")  # a verifier takes iat from there
    print(f"Identity: {value}")


def _note_authority(signer: Signer, identity: str) -> None:
    if ":" not in identity and not signer.covers(TN(identity)):
        say(f"note: the certificate does not name +{identity}, so verifiers refuse this token")


def _identity(text: str, plan: DialPlan) -> str:
    """A canonical number, or a normalised URI that names none. Raises ValueError."""
    if ":" in text:
        uri = parse_uri(text)
        return tn_of_uri(uri, plan) or normalise_uri(uri)
    number = canonicalise(text.replace(" ", ""), plan)
    if number is None:
        raise ValueError(f'"{text}" is not a telephone number')
    return number


def _link(text: str) -> tuple[str, bytes]:
    pointer, equals, file = text.partition("=")
    if not equals or not pointer.startswith("/"):
        raise ValueError(f'"{text}" is not a pointer and a file like /icn=logo.png')
    return pointer, _file(Path(file))


def _file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SipguardError(f"{path}: {error.strerror}") from None


def _configured(config: Path, name: str) -> Signer:
    signers = build(load(config)).view.signers
    if name not in signers:
        known = ", ".join(sorted(signers)) or "none"
        raise SipguardError(f"no certificate {name!r} in stir.sign.certificates; there are: {known}")
    current = signers[name].current(Clock().unix_time())
    if current is None:
        raise SipguardError(f"certificate {name!r} is not valid now")
    return current
