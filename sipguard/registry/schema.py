"""The tables. Telephone numbers are canonical (digits, no ``+``), times are Unix seconds, lists are JSON.

``migrations`` creates and changes them in a database; these classes are what the code of today expects to find there.
"""

from enum import StrEnum

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, String, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from sipguard.policy.account import AccountState

_OWNED = text("kind = 'owned'")


class AccountKind(StrEnum):
    """The levels of the account tree, from the top down."""

    OPERATOR = "operator"
    RESELLER = "reseller"
    ACCOUNT = "account"
    END_USER = "end_user"


class Table(DeclarativeBase):
    """The base of all tables."""


class AccountRow(Table):
    """One customer in the tree operator > reseller > account > end user."""

    __tablename__ = "accounts"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    parent: Mapped[str | None] = mapped_column(ForeignKey("accounts.name"), index=True)
    kind: Mapped[str] = mapped_column(String(16), default=AccountKind.ACCOUNT.value)
    state: Mapped[str] = mapped_column(String(16), default=AccountState.ACTIVE.value)
    attest_cap: Mapped[str | None] = mapped_column(String(1))
    emergency_unprovisioned: Mapped[str | None] = mapped_column(String(16))
    certificate: Mapped[str | None] = mapped_column(String(64))
    caller_name: Mapped[str | None] = mapped_column(String(64))
    countries: Mapped[str | None] = mapped_column(String(1024))
    do_not_call: Mapped[str | None] = mapped_column(String(16))
    max_rate: Mapped[float | None]
    max_burst: Mapped[int | None]
    max_calls: Mapped[int | None]


class NumberRow(Table):
    """The right of one account to present one number. One account at most owns a number."""

    __tablename__ = "numbers"
    __table_args__ = (
        Index(
            "one_owner", "tn", unique=True, sqlite_where=text("kind = 'owned'"), postgresql_where=text("kind = 'owned'")
        ),
    )

    tn: Mapped[str] = mapped_column(String(20), primary_key=True)
    account: Mapped[str] = mapped_column(ForeignKey("accounts.name"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    expires: Mapped[int | None] = mapped_column(BigInteger)
    end_user: Mapped[str | None] = mapped_column(ForeignKey("accounts.name"), index=True)
    trunk: Mapped[str | None] = mapped_column(String(64))
    max_calls: Mapped[int | None]
    imported: Mapped[int | None] = mapped_column(BigInteger)  # the audit entry of the import it came with


class TrunkRow(Table):
    """A trunk kept here rather than in the configuration file; ``settings`` holds its other keys."""

    __tablename__ = "trunks"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    side: Mapped[str] = mapped_column(String(16))
    account: Mapped[str | None] = mapped_column(ForeignKey("accounts.name"), index=True)
    sources: Mapped[list[str]] = mapped_column(JSON, default=list)
    targets: Mapped[list[str]] = mapped_column(JSON, default=list)
    classes: Mapped[list[str]] = mapped_column(JSON, default=list)
    settings: Mapped[dict[str, str | bool]] = mapped_column(JSON, default=dict)


class CredentialRow(Table):
    """What the password of one user becomes under one algorithm, H(A1): as good as the password in its realm.

    The trunk may be one of the configuration file, so nothing here refers to the table of trunks.
    """

    __tablename__ = "credentials"

    realm: Mapped[str] = mapped_column(String(128), primary_key=True)
    username: Mapped[str] = mapped_column(String(64), primary_key=True)
    algorithm: Mapped[str] = mapped_column(String(16), primary_key=True)
    trunk: Mapped[str] = mapped_column(String(64), index=True)
    secret: Mapped[str] = mapped_column(String(64))


class EmergencyRow(Table):
    """The emergency registration of one number."""

    __tablename__ = "emergency"

    tn: Mapped[str] = mapped_column(String(20), primary_key=True)
    account: Mapped[str] = mapped_column(ForeignKey("accounts.name"), index=True)
    country: Mapped[str] = mapped_column(String(2))
    status: Mapped[str] = mapped_column(String(16))
    paid: Mapped[bool]
    location: Mapped[str | None]
    unit: Mapped[str | None] = mapped_column(String(64))
    callback: Mapped[str | None] = mapped_column(String(20))
    activated_at: Mapped[int | None] = mapped_column(BigInteger)


class ListRow(Table):
    """One do-not-originate pattern: a canonical number, or a block with trailing X."""

    __tablename__ = "do_not_originate"

    pattern: Mapped[str] = mapped_column(String(20), primary_key=True)
    action: Mapped[str] = mapped_column(String(16), default="block")
    source: Mapped[str] = mapped_column(String(64), default="")
    expires: Mapped[int | None] = mapped_column(BigInteger)
    imported: Mapped[int | None] = mapped_column(BigInteger)  # the audit entry of the import it came with


class CallListRow(Table):
    """One entry of a do-not-call list; ``account`` is empty for the national one, which has no row in ``accounts``."""

    __tablename__ = "call_lists"
    __table_args__ = (
        Index("kept_by", "account", sqlite_where=text("account <> ''"), postgresql_where=text("account <> ''")),
    )

    pattern: Mapped[str] = mapped_column(String(20), primary_key=True)
    account: Mapped[str] = mapped_column(String(64), primary_key=True)
    on_list: Mapped[str] = mapped_column(String(16), primary_key=True)
    source: Mapped[str] = mapped_column(String(64), default="")
    expires: Mapped[int | None] = mapped_column(BigInteger)
    imported: Mapped[int | None] = mapped_column(BigInteger)  # the audit entry of the import it came with


class AuditRow(Table):
    """Who changed what, when. Never updated, never deleted."""

    __tablename__ = "audit"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    at: Mapped[int] = mapped_column(BigInteger, index=True)
    who: Mapped[str] = mapped_column(String(64))
    what: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(String(128), index=True)
    detail: Mapped[dict[str, object]] = mapped_column(JSON, default=dict)
