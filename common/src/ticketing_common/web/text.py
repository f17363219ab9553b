"""Checks texts that are shown to other users: visible, and without characters that affect the page around them."""

import unicodedata
from typing import Final

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

_BIDI_CONTROLS: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Embeddings, overrides and isolates (UAX #9 §2): unless closed, they also reorder the text that follows.

The marks U+200E, U+200F and U+061C stay allowed: right-to-left titles need them, and they reorder nothing else.
"""
_LINE_BREAKS: Final = frozenset({"Zl", "Zp"})
_VISIBLE_CATEGORIES: Final = frozenset("LNPS")
"""Letters, numbers, punctuation and symbols. A combining mark, a format character or an unassigned code point is not
visible by itself."""
_INVISIBLE: Final = frozenset("\u115f\u1160\u3164\uffa0\u2800\ufffc\U0001d159")
"""Letters and symbols that show nothing: the Hangul fillers (Default_Ignorable_Code_Point of Unicode), the blank
Braille pattern, the object replacement character and the null notehead."""


def has_visible_character(text: str) -> bool:
    """Whether a reader sees anything of this text."""
    return any(unicodedata.category(one)[0] in _VISIBLE_CATEGORIES and one not in _INVISIBLE for one in text)


def _check(text: str, allowed_controls: str) -> str:
    """Runs after the length check, and takes linear time."""
    for character in text:
        category = unicodedata.category(character)
        is_control = category == "Cc" and character not in allowed_controls
        is_line_break = category in _LINE_BREAKS and "\n" not in allowed_controls
        if is_control or is_line_break or character in _BIDI_CONTROLS:
            raise PydanticCustomError(
                "text_control",
                "Input should not contain the control character {character}",
                {"character": f"U+{ord(character):04X}"},
            )
    if text and not has_visible_character(text):
        raise PydanticCustomError("text_invisible", "Input should have at least one visible character")
    return text


def _check_line(text: str) -> str:
    return _check(text, "")


def _check_paragraphs(text: str) -> str:
    return _check(text, "\n")


ONE_LINE: Final = AfterValidator(_check_line)
"""For one line of text. It comes after the `StringConstraints`, so that the length is checked first."""

PARAGRAPHS: Final = AfterValidator(_check_paragraphs)
"""The same for text that may have line feeds."""
