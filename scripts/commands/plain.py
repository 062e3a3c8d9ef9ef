"""Text of others on the console: without control characters, which could move the cursor or change a terminal."""

from __future__ import annotations

import unicodedata

from rich.markup import escape as escape_markup

# Also marks that turn the direction of writing, with which text can pretend to be other text.
_HIDDEN = {"Cc", "Cs", "Cf"}
_KEPT = {"\n", "\t", "\u200d", "\u200c"}  # the joiners are part of words and emoji


def clean(text: str) -> str:
    """The text with each control character replaced by �."""
    if text.isascii() and text.isprintable():
        return text
    return "".join("�" if unicodedata.category(c) in _HIDDEN and c not in _KEPT else c for c in text)


def escape(text: str) -> str:
    """The text as it is printed by rich: no control characters, no markup."""
    return escape_markup(clean(text))
