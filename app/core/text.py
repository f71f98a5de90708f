"""Text made comparable, in Python, because no two databases agree on case and accents."""

import unicodedata


def fold(text: str) -> str:
    """`text` without case and accents: "Árvore" and "ARVORE" fold to the same.

    Used for searching, never for showing.
    """
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(c for c in decomposed if not unicodedata.combining(c))
    # Once more: taking the accents off can leave a character that folds further.
    return unicodedata.normalize("NFKC", bare.casefold())
