"""Sealing a record and reading its chain members back."""

import hashlib
import json

import pytest

from sipguard.ledger.chain import first_hash, link, seal

LINE = b'{"v":1,"id":"a-1","text":"\xc3\xa9"}'


def test_a_sealed_record_is_the_given_octets_with_two_members_more() -> None:
    """The record is spliced, not encoded again: its own octets stay as they were."""
    previous = first_hash("edge-1")
    sealed, digest = seal(LINE, previous)
    assert sealed.startswith(LINE[:-1])
    assert sealed.endswith(b"}\n")
    assert json.loads(sealed) == {
        **json.loads(LINE),
        "previous": f"sha256:{previous.decode()}",
        "hash": f"sha256:{digest.decode()}",
    }


def test_the_hash_is_over_the_record_with_previous_and_without_hash() -> None:
    """Anybody can check a record with a SHA-256 tool and a text editor."""
    previous = first_hash("edge-1")
    sealed, digest = seal(LINE, previous)
    without_hash = sealed.rstrip(b"\n").replace(b',"hash":"sha256:' + digest + b'"', b"")
    assert hashlib.sha256(without_hash).hexdigest().encode() == digest


def test_an_untouched_line_is_intact() -> None:
    """What was sealed reads back as intact, with both hashes."""
    previous = first_hash("edge-1")
    sealed, digest = seal(LINE, previous)
    assert link(sealed.rstrip(b"\n")) == (previous, digest, True)


@pytest.mark.parametrize("position", range(len(LINE) - 1))
def test_any_changed_octet_breaks_the_hash(position: int) -> None:
    """A record cannot be edited without its hash telling."""
    sealed = bytearray(seal(LINE, first_hash("edge-1"))[0].rstrip(b"\n"))
    sealed[position] ^= 1
    members = link(bytes(sealed))
    assert members is not None
    assert not members.intact


@pytest.mark.parametrize("line", [b"", b"{}", LINE, seal(LINE, first_hash("n"))[0], b"\0" * 300])
def test_a_line_without_chain_members_has_no_link(line: bytes) -> None:
    """Whatever does not end in the two members is no link of the chain."""
    assert link(line) is None


def test_two_nodes_begin_with_different_hashes() -> None:
    """The first record of one writer cannot pass for another's."""
    assert first_hash("edge-1") != first_hash("edge-2")
