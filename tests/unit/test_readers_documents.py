"""Markdown and plain text: sections, paragraphs and dialogues."""

from datetime import UTC, datetime

import pytest

from kept.adapters.readers.markdown import MarkdownReader
from kept.adapters.readers.passages import PASSAGE_CHARACTERS
from kept.adapters.readers.plain_text import PlainTextReader

MARCH = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.fixture
def read(tmp_path):
    """Write a text and read its only session."""

    def write_and_read(reader, text, file):
        path = tmp_path / file
        path.write_text(text, encoding="utf-8", newline="")
        [session] = reader.read(path)
        return session

    return write_and_read


@pytest.fixture
def markdown(read):
    return lambda text: [m.content for m in read(MarkdownReader(), text, "n.md").messages]


@pytest.fixture
def plain(read):
    return lambda text: [(m.role, m.name, m.content) for m in read(PlainTextReader(), text, "t.txt").messages]


# --- Markdown ---


def test_each_block_is_a_message_under_its_headings(markdown):
    text = "Intro.\n\n# A\n\nOne.\n\n## B ##\n\nTwo.\n\n### C#\nThree.\n\n## D\n\n# E\nFour.\n"
    assert markdown(text) == ["Intro.", "A: One.", "A > B: Two.", "A > B > C#: Three.", "E: Four."]


def test_underlined_headings_are_headings(markdown):
    assert markdown("A\n===\n\nOne.\n\nB\n---\n\nTwo.\n") == ["A: One.", "A > B: Two."]


@pytest.mark.parametrize(
    ("text", "contents"),
    [
        ("- item\n---\nmore", ["item\nmore"]),
        ("two\nlines\n---\nmore", ["two\nlines\nmore"]),
        ("a\n\n***\n\nmore", ["a", "more"]),
        ("#hashtag and more", ["#hashtag and more"]),
    ],
)
def test_what_only_looks_like_a_heading_is_none(markdown, text, contents):
    assert markdown(text) == contents


@pytest.mark.parametrize(
    ("text", "contents"),
    [
        ("- one\n- two", ["A: one", "A: two"]),
        ("1. one\n2) two\n", ["A: one", "A: two"]),
        ("- one\n  goes on\n\n  and on\n- two", ["A: one\ngoes on\n\nand on", "A: two"]),
        ("- one\n  - nested\n- two", ["A: one\n- nested", "A: two"]),
        ("We use:\n\n- pnpm\n- Biome\n\nNothing else.", ["A: We use:\n\n- pnpm\n- Biome", "A: Nothing else."]),
        ("Run:\n\n```\nmake\n```\nDone.", ["A: Run:\n\n```\nmake\n```\nDone."]),
        ("Text.\n- one", ["A: Text.", "A: one"]),
        ("| a | b |\n|---|---|\n| 1 | 2 |", ["A:\n\n| a | b |\n|---|---|\n| 1 | 2 |"]),
        ("- ```\n  make\n\n  test\n  ```\n- two", ["A:\n\n```\nmake\n\ntest\n```", "A: two"]),
    ],
)
def test_paragraphs_and_list_items_stand_alone_but_for_what_they_introduce(markdown, text, contents):
    assert markdown(f"# A:\n{text}") == contents


@pytest.mark.parametrize("fence", ["```", "~~~~"])
def test_a_fence_stays_whole(markdown, fence):
    code = f"{fence}sh\n# no heading\n\n<!-- no comment -->\n---\n{fence}"
    assert markdown(f"# A\n\n{code}\n\nEnd.") == [f"A:\n\n{code}", "A: End."]


def test_a_shorter_fence_does_not_close_a_longer_one(markdown):
    text = "````\n```\n# no heading\n```\n````\n\n# A\n\nOne."
    assert markdown(text) == ["````\n```\n# no heading\n```\n````", "A: One."]


@pytest.mark.parametrize(
    "text", ["One. <!-- hidden -->", "<!-- hidden\n\n# hidden\n-->\nOne.", "<!-- a --><!-- b -->One."]
)
def test_comments_are_left_out(markdown, text):
    assert [content.strip() for content in markdown(text)] == ["One."]


def test_front_matter_is_skipped_and_dates_the_file(read):
    session = read(MarkdownReader(), "---\ntitle: x\ndate: '2026-03-02'\n---\n\nOne.\n", "n.md")
    assert [(m.content, m.at) for m in session.messages] == [("One.", MARCH)]
    assert session.metadata == {"file": "n.md"}


@pytest.mark.parametrize("text", ["---\nOne.", "+++\nOne.", "***\n\nOne."])
def test_a_rule_that_opens_no_front_matter_hides_nothing(markdown, text):
    assert "One." in markdown(text)[0]


def test_a_date_in_the_front_matter_that_cannot_be_read_is_a_warning(read):
    reader = MarkdownReader()
    session = read(reader, "---\ndate: last spring\n---\nOne.\n", "n.md")
    assert session.messages[0].at is None
    assert ["n.md:2: the date" in warning for warning in reader.warnings] == [True]


def test_a_date_in_a_heading_holds_under_it(read):
    text = "---\ndate: 2026-01-01\n---\nIntro.\n# Log\n## 2026-03-02\nOne.\n### Details\nTwo.\n## Later\nThree.\n"
    found = {m.content.split()[-1]: m.at for m in read(MarkdownReader(), text, "n.md").messages}
    new_year = datetime(2026, 1, 1, tzinfo=UTC)
    assert found == {"Intro.": new_year, "One.": MARCH, "Two.": MARCH, "Three.": new_year}


def test_a_date_on_no_calendar_is_only_a_heading(read):
    session = read(MarkdownReader(), "# 2026-02-30\nOne.\n", "n.md")
    assert session.messages[0].at is None


def test_a_long_paragraph_of_a_section_is_split_and_each_part_keeps_its_headings(markdown):
    found = markdown("# A\n\n" + " ".join(f"Sentence {i} says one thing." for i in range(300)))
    assert len(found) > 1
    assert all(content.startswith("A: ") and len(content) <= PASSAGE_CHARACTERS for content in found)
    assert "".join(found).count("says one thing.") == 300


def test_source_ids_change_with_the_section_and_not_with_its_neighbours(read):
    def ids(text):
        return [m.source_id for m in read(MarkdownReader(), text, "n.md").messages]

    before = ids("# A\nOne.\n# B\nTwo.\n")
    after = ids("# A\nOne.\n# C\nNew.\n# B\nTwo, changed.\n")
    assert after[0] == before[0]
    assert after[2] != before[1]


# --- plain text ---


def test_each_paragraph_is_a_message(plain):
    assert plain("One line\nand the next.\n\n\nTwo.\n") == [
        ("user", None, "One line\nand the next."),
        ("user", None, "Two."),
    ]


def test_a_long_paragraph_is_split(plain):
    found = plain("One sentence says something. " * 500)
    assert len(found) > 1
    assert all(len(content) <= PASSAGE_CHARACTERS for _, _, content in found)


def test_a_dialogue_gives_turns_with_names(plain):
    assert plain("Ann: Tea?\nBo Li: Yes,\nplease.\n\nAnn: With milk?\n") == [
        ("user", "Ann", "Tea?"),
        ("user", "Bo Li", "Yes,\nplease."),
        ("user", "Ann", "With milk?"),
    ]


def test_roles_in_a_dialogue_are_roles(plain):
    assert plain("User: Tea?\nAI: No.\nUser: Coffee?\nAssistant: Yes.") == [
        ("user", None, "Tea?"),
        ("assistant", None, "No."),
        ("user", None, "Coffee?"),
        ("assistant", None, "Yes."),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "Name: Ann\nCity: Rome\nJob: baker",
        "Note: one.\nNote: two.\nNote: three.",
        "See http://a.example\nand https://b.example\nand http://c.example",
        "Ann: hi\nBo: hi\nAnn: hi\n" + "And then a long story follows.\n" * 5,
    ],
)
def test_what_only_looks_like_a_dialogue_is_paragraphs(plain, text):
    assert plain(text) == [("user", None, text.strip())]


def test_dates_and_clock_times_date_a_dialogue(read):
    text = "2026-03-02\n[09:30] Ann: Tea?\nBo: Yes.\n2026-04-01 10:15 Ann: Again?\n\n--- Monday, 2026-05-04 ---\n(08:00) - Bo: Yes."
    found = [(m.name, m.at) for m in read(PlainTextReader(), text, "t.txt").messages]
    assert found == [
        ("Ann", datetime(2026, 3, 2, 9, 30, tzinfo=UTC)),
        ("Bo", MARCH),
        ("Ann", datetime(2026, 4, 1, 10, 15, tzinfo=UTC)),
        ("Bo", datetime(2026, 5, 4, 8, tzinfo=UTC)),
    ]


def test_a_clock_time_without_a_day_is_no_time(read):
    session = read(PlainTextReader(), "[09:30] Ann: Tea?\n[25:99] Bo: Yes.\n[09:31] Ann: Good.", "t.txt")
    assert [(m.name, m.at) for m in session.messages] == [("Ann", None), ("Bo", None), ("Ann", None)]


def test_a_line_with_a_date_dates_the_paragraphs_after_it(read):
    session = read(PlainTextReader(), "Before.\n\n2026-03-02\n\nOne.\n\nTwo.\n", "t.txt")
    assert [(m.content, m.at) for m in session.messages] == [("Before.", None), ("One.", MARCH), ("Two.", MARCH)]


@pytest.mark.parametrize("character", list(" #-=<`~:[a\n0"))
@pytest.mark.parametrize(("reader", "file"), [(MarkdownReader(), "n.md"), (PlainTextReader(), "t.txt")])
def test_hostile_text_is_read_in_time_proportional_to_its_length(tmp_path, reader, file, character):
    """The test's time limit holds it."""
    path = tmp_path / file
    path.write_text("---\ndate: " + character * 200_000 + "\n---\n" + character * 200_000 + "!")
    assert [len(session.messages) > 0 for session in reader.read(path)] in ([True], [])
