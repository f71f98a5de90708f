"""Text made comparable, in Python, because no two databases agree on case and accents."""

import re
import unicodedata


def fold(text: str) -> str:
    """`text` without case and accents: "Árvore" and "ARVORE" fold to the same.

    Used for searching, never for showing.
    """
    # Without marks from the start: NFKD sorts them, in the square of their number on one letter.
    decomposed = unicodedata.normalize("NFKD", _without_marks(text.casefold()))
    bare = _without_marks(decomposed)
    # Once more: taking the accents off can leave a character that folds further.
    return unicodedata.normalize("NFKC", bare.casefold())


def _without_marks(text: str) -> str:
    return "".join(c for c in text if not unicodedata.combining(c))


def key_of(text: str) -> str:
    """`text` without case, as a `unique_key` holds it; by it a row is found."""
    return unicodedata.normalize("NFC", text).casefold()


# Letters and marks by their category, of which nothing is seen.
_UNSEEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0]")


def slugify(text: str, fallback: str, max_length: int = 200) -> str:
    """`text` as a part of a URL: "Programação é Ótima" becomes "programacao-e-otima".

    Latin letters lose their accents, other scripts keep theirs: 日本語 stays. Where no letter is
    left there is the `fallback`, and before digits alone as well: a slug is never taken for an id.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    decomposed = unicodedata.normalize("NFD", _UNSEEN.sub("", folded))
    bare = re.sub("(?<=[a-z])[\u0300-\u036f]+", "", decomposed)
    spaced = "".join(c if _is_of_word(c) else " " for c in unicodedata.normalize("NFC", bare))
    words = [word for word in spaced.split() if any(c.isalnum() for c in word)]
    slug = "-".join(words)[:max_length].strip("-") or fallback
    return f"{fallback}-{slug}" if slug.isdigit() else slug


def _is_of_word(character: str) -> bool:
    # A mark is a vowel in many scripts: without it, another word is left.
    return character.isalnum() or unicodedata.category(character).startswith("M")
