"""Which texts may be shown to other users."""

import unicodedata
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import StringConstraints, TypeAdapter, ValidationError

from ticketing_common.web import ONE_LINE, PARAGRAPHS
from ticketing_common.web.text import has_visible_character

pytestmark = pytest.mark.unit

TRIMMED = StringConstraints(strip_whitespace=True, max_length=200)
LINE: TypeAdapter[str] = TypeAdapter(Annotated[str, TRIMMED, ONE_LINE])
TEXT: TypeAdapter[str] = TypeAdapter(Annotated[str, TRIMMED, PARAGRAPHS])


@pytest.mark.parametrize(
    "text",
    [
        *(
            "Seat 7",
            "…",
            "٣",
            "👩‍👧",
            "🏴󠁧󠁢󠁥󠁮󠁧󠁿",
            "عرض ‏موسيقي",
            "می‌خواهم",
            "שלום",
            "Ｊａｚｚ",
            "İstanbul",
            "e\u0301",
            "~",
            "한글",
            "\u1112\u1161\u11ab",
        ),
    ],
)
def test_usual_texts_are_accepted(text: str) -> None:
    assert LINE.validate_python(text) == text
    assert TEXT.validate_python(f"{text}\n\n{text}") == f"{text}\n\n{text}"


@pytest.mark.parametrize(
    "text",
    [
        *("\u200b", "\u2800", "\u3164", "\u115f\u1160", "\uffa0", "\ufe0f", "\u0301\u0302", "\u200d\u200c", "\u00ad"),
        *(
            "\u2060",
            "\u061c",
            "\u180e",
            "\U000e0041",
            "\u034f",
            "\ue000",
            "\ufffc",
            "\U0001d159",
            "\ufdd0",
            "\U000e01ef",
        ),
    ],
    ids=lambda text: f"U+{ord(text[0]):04X}",
)
def test_a_text_that_shows_nothing_is_refused(text: str) -> None:
    for kind in (LINE, TEXT):
        with pytest.raises(ValidationError, match="visible"):
            kind.validate_python(f" {text} ")
        assert kind.validate_python(f"a{text}")


@pytest.mark.parametrize(
    "control", [*"\x00\x07\t\x0b\r\x1b\x7f\x9b", *"\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"]
)
def test_a_control_is_refused_and_named(control: str) -> None:
    for kind in (LINE, TEXT):
        with pytest.raises(ValidationError, match=f"U\\+{ord(control):04X}"):
            kind.validate_python(f"a{control}b")


@pytest.mark.parametrize("line_break", ["\n", "\u2028", "\u2029"])
def test_only_paragraphs_have_line_breaks(line_break: str) -> None:
    assert TEXT.validate_python(f"a{line_break}b")
    with pytest.raises(ValidationError):
        LINE.validate_python(f"a{line_break}b")


def test_an_empty_text_is_another_matter() -> None:
    assert LINE.validate_python("  ") == TEXT.validate_python("\n") == ""


@given(st.text(max_size=200))
def test_what_is_taken_can_be_seen_printed_and_encoded(text: str) -> None:
    try:
        taken = LINE.validate_python(text)
    except ValidationError:
        return
    assert taken == "" or has_visible_character(taken)
    assert "\n" not in taken
    assert not any(unicodedata.category(one) in {"Cc", "Cs", "Zl", "Zp"} for one in taken)
    assert taken.encode().decode() == taken
