"""Names nobody may call under but their bearers: how a displayed name is compared with them.

A name is compared by how it looks: letters and digits only, without case and accents, look-alike letters of other
alphabets and the digits that stand for letters read as what they imitate. A protected name counts wherever it stands
in a longer one.
"""

import unicodedata
from collections.abc import Iterable

# Cyrillic and Greek letters that look Latin, and digits and signs that are read as letters.
_LOOKS_LIKE = str.maketrans(
    "авеікмнорсптухѕјԁӏαβεικνορτυχηω01345@$!|",
    "abeikmhopcntyxsjdlabeiknoptuxnwoleasasil",
)
_L_OR_I = str.maketrans("l", "i")  # a capital I and a small l are one line on many displays


def appearance(name: str) -> str:
    """What a name looks like, as text that can be compared."""
    plain = "".join(
        character for character in unicodedata.normalize("NFKD", name) if not unicodedata.combining(character)
    )
    read = plain.casefold().translate(_LOOKS_LIKE).translate(_L_OR_I)
    return "".join(character for character in read if character.isalnum())


class ProtectedNames:
    """The protected names in force, by how they look."""

    __slots__ = ("_names",)

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._names = {appearance(name): name for name in names}

    def __bool__(self) -> bool:
        return bool(self._names)

    def found_in(self, display: str) -> str | None:
        """The protected name that a displayed one shows."""
        shown = appearance(display)
        return next((name for looks, name in self._names.items() if looks in shown), None)
