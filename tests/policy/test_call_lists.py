"""Whose wish counts: national list, opt-out and opt-in, and what the number book finds of them."""

import timeit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipguard.policy.call_lists import EVERYBODY, CallList, Listing, listings_of, objection
from sipguard.policy.compiled import Compiled, Contents, compile_block
from sipguard.policy.number_book import NumberBook, NumberChanges
from sipguard.policy.pattern import block_key
from sipguard.stir.telephone_number import TN
from sipguard.stir.unix_time import UnixTime

NOW = UnixTime(1_764_000_000)
LATER, PAST = UnixTime(NOW + 1), NOW
PATH = ("reseller", "acme", "acme/sales")
NUMBER, IN_BLOCK = TN("14155550150"), TN("14155561234")

NATIONAL = (EVERYBODY, "national", "ftc", None)


def opted_out(account, expires=None):
    """An opt-out as it is stored."""
    return (account, "opt-out", "", expires)


def consented(account, expires=None):
    """An opt-in as it is stored."""
    return (account, "opt-in", "", expires)


@pytest.mark.clause("policy: destinations")
@pytest.mark.parametrize(
    ("rows", "national", "on", "account"),
    [
        ([], True, None, None),
        ([NATIONAL], True, "national", EVERYBODY),
        ([NATIONAL], False, None, None),
        ([(EVERYBODY, "national", "", PAST)], True, None, None),
        ([(EVERYBODY, "national", "", LATER)], True, "national", EVERYBODY),
        ([opted_out("acme")], False, "opt-out", "acme"),
        ([opted_out("reseller")], False, "opt-out", "reseller"),
        ([opted_out("acme/sales")], False, "opt-out", "acme/sales"),
        ([opted_out("other")], True, None, None),
        ([opted_out("acme", PAST)], False, None, None),
        ([NATIONAL, consented("acme")], True, None, None),
        ([NATIONAL, consented("other")], True, "national", EVERYBODY),
        ([NATIONAL, consented("acme", PAST)], True, "national", EVERYBODY),
        ([NATIONAL, consented("acme"), opted_out("acme")], True, "opt-out", "acme"),
        ([consented("acme/sales"), opted_out("reseller")], True, "opt-out", "reseller"),
    ],
)
def test_whose_wish_counts(rows, national, on, account):
    """Consent beats the national list, an opt-out beats both; what is an account's holds below it and nowhere else."""
    why = objection([listings_of(rows)], PATH, national=national, now=NOW)
    assert (why and why.listing.on) == (on and CallList(on))
    assert (why and why.account) == account


_ROWS = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from([*PATH, "other"]), st.sampled_from(["opt-out", "opt-in"]), st.just(""),
            st.sampled_from([None, LATER, PAST]),
        ),
        st.tuples(st.just(EVERYBODY), st.just("national"), st.just(""), st.sampled_from([None, LATER, PAST])),
    ),
    max_size=6,
)  # fmt: skip


@given(st.lists(_ROWS, max_size=3), st.booleans())
def test_the_rule_in_one_sentence(groups, national):
    """However entries are spread: opted out on the path, or listed nationally without consent on the path."""
    rows = [row for group in groups for row in group if row[3] != PAST]
    on_path = {kind for account, kind, *_ in rows if account in PATH}
    listed = national and any(kind == "national" for _, kind, *_ in rows) and "opt-in" not in on_path
    found = [listings_of(group) for group in groups]
    assert (objection(found, PATH, national=national, now=NOW) is not None) == ("opt-out" in on_path or listed)


@pytest.mark.clause("policy: destinations")
def test_consent_to_a_block_covers_a_number_and_an_opt_out_of_the_number_remains():
    """Wishes about a number and about its blocks are taken together, whatever is the longer pattern."""
    number, block = listings_of([NATIONAL]), listings_of([consented("acme")])
    assert objection([number, block], PATH, national=True, now=NOW) is None
    number = listings_of([opted_out("acme")])
    assert objection([number, block], PATH, national=True, now=NOW)


def compiled():
    """A book compiled of one listed number and one listed block."""
    rows = (NATIONAL, opted_out("acme", LATER))
    tables = {"called": [(NUMBER, rows)], "called_blocks": [(block_key("1415556", 11), (opted_out("other"),))]}
    contents = Contents(7, "seven", dict.fromkeys(tables, 1), [], [], tables, [(7, 11)])
    return NumberBook(Compiled(b"".join(compile_block(contents))))


def test_what_was_compiled_is_read_back():
    """Entries with all they say, of the number itself and of its block; nothing for anybody else."""
    book = compiled()
    assert book.has_call_lists
    [found] = book.called(NUMBER)
    assert found == {
        EVERYBODY: (Listing(CallList.NATIONAL, "ftc"),),
        "acme": (Listing(CallList.OPT_OUT, "", LATER),),
    }
    assert [set(listings) for listings in book.called(IN_BLOCK)] == [{"other"}]
    assert book.called(TN("14155550151")) == []
    assert book.called(TN("141555612345")) == []


def test_changes_lie_over_what_was_compiled():
    """A wish that is taken back is gone, a new one is there, the book it was made from stays."""
    book = compiled()
    new = {"14155550151": listings_of([opted_out("acme")]), "1510XXXXXXX": listings_of([NATIONAL])}
    later = book.with_changes(NumberChanges(called={NUMBER: {}, "1415556XXXX": {}, **new}))
    assert later.called(NUMBER) == later.called(IN_BLOCK) == []
    assert len(later.called(TN("14155550151"))) == len(later.called(TN("15105550100"))) == 1
    assert book.called(NUMBER)
    assert book.called(TN("15105550100")) == []


def test_no_list_is_known_to_be_none():
    """A registry without any such list is not asked about calls."""
    assert not NumberBook().has_call_lists
    assert not NumberBook(Compiled(b"".join(compile_block(Contents(0, "", {}, [], [], {}))))).has_call_lists
    assert NumberBook.of(called={"14155550150": listings_of([NATIONAL])}).has_call_lists


def test_a_look_up_among_many_costs_a_few_microseconds():
    """Among 200,000 numbers a look-up takes no more than a few microseconds, even on a busy machine."""
    rows = [(str(14_155_000_000 + 7 * number), (NATIONAL,)) for number in range(200_000)]
    contents = Contents(1, "", {"called": len(rows)}, [], [], {"called": rows})
    book = NumberBook(Compiled(b"".join(compile_block(contents))))
    there = TN(rows[100_000][0])
    assert book.called(there)
    assert min(timeit.repeat(lambda: book.called(there), number=1000, repeat=5)) / 1000 < 20e-6
