"""``sipguard cert``: certificates of signers, from a TEST authority or a real one, made, read and checked.

``ca`` and ``issue`` keep a TEST authority that nobody else must trust. ``csr`` prepares the request for a real one.
``inspect`` explains what stands in a chain, ``check`` tells whether the proxy could sign with it.
"""

import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sipguard.cli.authority_files import (
    RESERVED,
    create_authority,
    load_authority,
    load_issued,
    load_key,
    write_files,
)
from sipguard.cli.certificate_check import ChainFiles, Check, check_chain, configured_chains
from sipguard.cli.certificate_report import explain_tn_auth_list, report_chain
from sipguard.cli.commands import DEFAULT_CONFIG, ConfigOption, CountryOption, JsonOption, checked, noun
from sipguard.cli.output import done, say
from sipguard.config.dial_plan import dial_plan
from sipguard.errors import MalformedValue, SipguardError
from sipguard.runtime.clock import Clock
from sipguard.runtime.secret_files import read_public_file
from sipguard.stir import base64url, tn_auth_list
from sipguard.stir.certificate import load_chain
from sipguard.stir.fault import Fault
from sipguard.stir.telephone_number import TN, DialPlan, canonicalise
from sipguard.stir.tn_auth_list import NumberRange, TnAuthList
from sipguard.stir.unix_time import UnixTime
from sipguard.testing.sti_ca import DAY, Shape, new_key

app = noun("cert", "Certificates of signers: TEST ones, requests, and what they say.", "sipguard cert inspect leaf.pem")

_TOKEN_MEMBERS = {
    "tktype": "what the token vouches for; also the type of the ACME identifier",
    "tkvalue": "the TNAuthList, DER in base64url; also the value of the ACME identifier",
    "ca": "whether the certificate may issue others",
    "fingerprint": "of the key of the ACME account the order is made with: this key's, for tools that use one for both",
}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
DirectoryArgument = Annotated[Path, typer.Argument(help="The directory.", metavar="DIRECTORY", show_default=False)]
ChainArgument = Annotated[
    Path | None,
    typer.Argument(help="A chain in PEM, or one certificate in DER.", metavar="FILE", show_default=False),
]
ForceOption = Annotated[bool, typer.Option("--force", help="Overwrite files that are there.")]
SpcOption = Annotated[list[str] | None, typer.Option("--spc", help="A service provider code.", metavar="CODE")]
TnOption = Annotated[list[str] | None, typer.Option("--tn", help="A telephone number; repeat it.", metavar="NUMBER")]
RangeOption = Annotated[
    list[str] | None,
    typer.Option("--range", help="Numbers from the first to the last; repeat it.", metavar="FIRST-LAST"),
]


@app.command(epilog="Example: sipguard cert ca test-authority")
def ca(directory: DirectoryArgument, force: ForceOption = False, as_json: JsonOption = False) -> None:
    """Make a TEST authority, root and intermediate. Nobody vouches for it: never trust it outside a test."""
    paths = create_authority(directory, Clock().unix_time(), force)
    record = {name: str(path) for name, path in paths.items()}
    done(f"TEST authority in {directory}; verifiers of your tests trust {paths['anchors.pem']}", record, as_json)


@app.command(epilog="Example: sipguard cert issue test-authority --spc 1234 --days 7")
def issue(
    directory: DirectoryArgument,
    spc: SpcOption = None,
    tn: TnOption = None,
    number_range: RangeOption = None,
    days: Annotated[int, typer.Option(min=1, max=3650, help="How long it is valid.")] = 30,
    name: Annotated[str, typer.Option(help="The files' name.", metavar="NAME")] = "leaf",
    below: Annotated[
        str, typer.Option(help="Who issues it: one made with --authority.", metavar="NAME")
    ] = "intermediate",
    authority: Annotated[bool, typer.Option("--authority", help="It may issue delegates (RFC 9060).")] = False,
    country: CountryOption = "US",
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Issue a signing certificate and its key from a TEST authority: for a provider's code, or for numbers alone."""
    now = Clock().unix_time()
    with checked():
        entries = _entries(spc, tn, number_range, dial_plan(country))
        if not _NAME.match(name) or name in RESERVED:
            raise ValueError(f'"{name}" is no name for the files')
    issuer = load_issued(directory, below)
    shape = Shape(
        entries=entries, not_after=UnixTime(now + days * DAY), authority=authority, cert_sign=authority,
        digital_signature=not authority, path_length=0 if authority else None,
    )  # fmt: skip
    issued = load_authority(directory, now).issue_below(issuer, shape, common_name=_common_name(entries))
    paths = write_files({directory / f"{name}.pem": issued.chain_pem, directory / f"{name}.key": issued.key_pem}, force)
    record = {
        "certificate": str(paths[f"{name}.pem"]),
        "key": str(paths[f"{name}.key"]),
        "tn_auth_list": explain_tn_auth_list(entries),
        "days": days,
    }
    done(f"{record['certificate']} and its key: {'; '.join(explain_tn_auth_list(entries))}", record, as_json)


@app.command(epilog="Example: sipguard cert csr requests --spc 1234 --organization 'Example Telecom'")
def csr(
    directory: DirectoryArgument,
    organization: Annotated[str, typer.Option(help="The organisation of the subject.", show_default=False)],
    spc: SpcOption = None,
    tn: TnOption = None,
    number_range: RangeOption = None,
    key: Annotated[Path | None, typer.Option(help="Use this key, do not make one.", metavar="FILE")] = None,
    country: CountryOption = "US",
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make a key and the request that an STI-CA turns into a certificate (ACME, RFC 9448).

    Also prints what the authority token must say, which the policy administrator issues: the TNAuthList and a
    fingerprint.
    """
    with checked():
        plan = dial_plan(country)
        entries = _entries(spc, tn, number_range, plan)
    private_key = new_key() if key is None else load_key(key)
    files = {directory / "request.csr": _request(private_key, entries, organization, plan.country)}
    if key is None:
        files[directory / "request.key"] = _key_pem(private_key)
    paths = write_files(files, force)
    token = _authority_token(entries, private_key.public_key())
    record = {name: str(path) for name, path in paths.items()}
    if as_json:
        print(json.dumps({**record, "identifier": {"type": "TNAuthList", "value": token["tkvalue"]}, "atc": token}))
        return
    say(f"written: {', '.join(record.values())}")
    print(f"for {'; '.join(explain_tn_auth_list(entries))}")
    for name, meaning in _TOKEN_MEMBERS.items():
        print(f"{name}: {json.dumps(token[name]) if name == 'ca' else token[name]}\n  {meaning}")


@app.command(epilog="Example: sipguard cert inspect leaf.pem --json")
def inspect(file: ChainArgument = None, as_json: JsonOption = False) -> None:
    """Explain a chain: subject, validity, TNAuthList, constraints, revocation, and the profile rules it breaks.

    Warnings are rules that certificates in use break too. Exit code 1 when a verifier would refuse it.
    """
    octets = sys.stdin.buffer.read() if file is None or str(file) == "-" else read_public_file(file)
    try:
        chain = load_chain(octets)
    except Fault as fault:
        raise SipguardError(f"{file or 'standard input'}: {fault}") from None
    reports = report_chain(chain, Clock().unix_time())
    if as_json:
        print(json.dumps(reports, ensure_ascii=False, indent=1))
    else:
        for place, report in enumerate(reports):
            _print_report(place, report)
    if any(finding["level"] == "error" for report in reports for finding in report["findings"]):
        raise typer.Exit(1)


@app.command(epilog="Example: sipguard cert check leaf.pem --key leaf.key --anchors anchors.pem")
def check(
    file: ChainArgument = None,
    key: Annotated[Path | None, typer.Option(help="The private key.", metavar="FILE")] = None,
    url: Annotated[str | None, typer.Option(help="Where verifiers fetch the chain.", metavar="URL")] = None,
    anchors: Annotated[Path | None, typer.Option(help="The authorities to chain to.", metavar="FILE")] = None,
    days: Annotated[int, typer.Option(min=0, help="Bad when it ends within so many days.")] = 0,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Tell whether one could sign with a chain; without a file, with every certificate of the configuration.

    One line for each thing looked at. Exit code 1 when any is bad.
    """
    now = Clock().unix_time()
    results: list[Check] = []
    if file is None:
        for name, chain in configured_chains(config):
            results += [result._replace(what=f"{name}: {result.what}") for result in check_chain(chain, now, days)]
    else:
        results += check_chain(ChainFiles(file, key, url, anchors), now, days)
    if as_json:
        print(json.dumps([result._asdict() for result in results], ensure_ascii=False, indent=1))
    else:
        for result in results:
            print(f"{'ok ' if result.ok else 'bad'} {result.what}: {result.detail}")
    if not all(result.ok for result in results):
        raise typer.Exit(1)


def _entries(
    codes: list[str] | None, numbers: list[str] | None, ranges: list[str] | None, plan: DialPlan
) -> TnAuthList:
    """The TNAuthList the user asks for, which has been read back once. Raises ValueError."""
    entries = TnAuthList(
        tuple(codes or ()),
        tuple(_range(text, plan) for text in ranges or ()),
        tuple(_number(text, plan) for text in numbers or ()),
    )
    try:
        return tn_auth_list.decode(tn_auth_list.encode(entries))
    except (MalformedValue, UnicodeEncodeError) as error:
        if not any(entries):
            raise ValueError("name at least one of --spc, --tn and --range") from None
        raise ValueError(str(error)) from None


def _number(text: str, plan: DialPlan) -> TN:
    number = canonicalise(text.replace(" ", ""), plan)
    if number is None:
        raise ValueError(f'"{text}" is not a telephone number')
    return number


def _range(text: str, plan: DialPlan) -> NumberRange:
    first, separator, last = text.partition("-")
    if not separator:
        raise ValueError(f'"{text}" is not a range like +12155550100-+12155550199')
    start, end = _number(first, plan), _number(last, plan)
    if not (start.isdigit() and end.isdigit()) or len(start) != len(end) or int(end) <= int(start):
        raise ValueError(f'"{text}" does not run from a number to a higher one of the same length')
    return NumberRange(start, int(end) - int(start) + 1)


def _common_name(entries: TnAuthList) -> str:
    """What the profile wants for a provider's certificate (CRT-14); a delegate's has no rule."""
    codes = entries.service_provider_codes
    return f"SHAKEN {codes[0]}" if codes else "SHAKEN delegate"


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _request(key: ec.EllipticCurvePrivateKey, entries: TnAuthList, organization: str, country: str) -> bytes:
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, country),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
            x509.NameAttribute(NameOID.COMMON_NAME, _common_name(entries)),
        ]
    )
    extension = x509.UnrecognizedExtension(x509.ObjectIdentifier(tn_auth_list.OID), tn_auth_list.encode(entries))
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).add_extension(extension, critical=False)
    return request.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _authority_token(entries: TnAuthList, key: ec.EllipticCurvePublicKey) -> dict[str, object]:
    """The ``atc`` claim that belongs to a request (RFC 9447 §3.1, RFC 9448 §5.4)."""
    octets = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return {
        "tktype": "TNAuthList",
        "tkvalue": base64url.encode(tn_auth_list.encode(entries)),
        "ca": False,
        "fingerprint": f"SHA256 {hashlib.sha256(octets).digest().hex(':').upper()}",
    }


def _print_report(place: int, report: dict[str, Any]) -> None:
    """One certificate for people."""
    print(f"{place + 1}. {report['subject']}")
    for name in (
        "issuer",
        "serial",
        "key",
        "signature",
        "key_usage",
        "policies",
        "tn_auth_list",
        "claim_constraints",
        "crl",
    ):
        value = report.get(name)
        if value:
            print(f"   {name.replace('_', ' ')}: {'; '.join(value) if isinstance(value, list) else value}")
    if "not_after" in report:
        span = f"{report['not_before']} to {report['not_after']}"
        print(f"   {report['state']}, {span}, {report['days_left']} days left")
    for finding in report["findings"]:
        print(f"   {finding['level']} {finding['rule']}: {finding['text']}")
