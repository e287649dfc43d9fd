"""Text made fit for a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kept.cli.safe_text import columns, cut, one_line, padded, printable, wrapped


@given(st.text())
def test_printable_text_has_no_control_characters(text):
    shown = printable(text)
    assert all(character.isprintable() or character not in "\x00\x07\x08\x1b\x7f\x9b\u202e" for character in shown)
    assert not set(map(chr, [*range(9), *range(11, 32), *range(127, 160)])) & set(shown)


@pytest.mark.parametrize(
    "character",
    [
        "\x00",
        "\x07",
        "\r",
        "\x1b",
        "\x7f",
        "\x9b",
        "\xad",
        "\u061c",
        "\u180e",
        "\u200b",
        "\u200e",
        "\u200f",
        "\u202e",
        "\u2028",
        "\u2060",
        "\u2066",
        "\ufeff",
        "\U000e0001",
        "\U000e0041",
        "\U000e007f",
    ],
    ids=ascii,
)
def test_what_nobody_sees_is_shown(character):
    assert printable(f"a{character}b") == "a" + character.encode("unicode_escape").decode() + "b"


@pytest.mark.parametrize("text", ["👩\u200d💻", "می\u200cخواهم", "قهوة", "e\u0301", "a\tb\nc"], ids=ascii)
def test_what_writing_needs_stays(text):
    assert printable(text) == text


@given(st.text(), st.integers(2, 40))
def test_wrapped_lines_fit_and_lose_nothing(text, width):
    lines = wrapped(text, width)
    assert all(columns(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


@given(st.text(), st.integers(1, 40))
def test_padded_text_has_exactly_the_width(text, width):
    assert columns(padded(one_line(text), width)) == width


@given(st.text(), st.integers(1, 40))
def test_cut_text_fits_and_is_a_beginning(text, width):
    short = cut(text, width)
    assert columns(short) <= width
    assert text.startswith(short.removesuffix("…"))


@pytest.mark.parametrize(
    ("text", "width"),
    [("tea", 3), ("日本", 4), ("e\u0301", 1), ("🍵", 2), ("", 0)],
    ids=["latin", "wide", "accent", "emoji", "none"],
)
def test_columns_count_what_a_terminal_shows(text, width):
    assert columns(text) == width


def test_one_line_is_one_line():
    assert one_line(" a\r\n\tb\u2028c ") == "a b c"
