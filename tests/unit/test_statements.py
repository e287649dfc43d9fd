"""What a message says, and what it does not."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kept.domain.statements import MAX_STATEMENT, statements

SECONDS = 1.0

# Message, then the kind and text of each expected statement.
MESSAGES = [
    ("Hi!", []),
    ("Hello there, how are you?", []),
    ("ok great", []),
    ("Thanks!", []),
    ("Thank you so much for your help!", []),
    ("You're welcome", []),
    ("No problem!", []),
    ("Sounds good", []),
    ("Sure, let me look", []),
    ("Let me know if you have any questions.", []),
    ("Got it, thanks.", []),
    ("👍🎉", []),
    ("Good morning, Priya!", []),
    ("Bye, talk to you soon!", []),
    ("Yes, please go ahead.", []),
    ("lol", []),
    ("I'll take a look.", []),
    ("Great question!", []),
    ("Perfect, that works.", []),
    ("I prefer tabs over spaces in every project.", [("statement", "I prefer tabs over spaces in every project.")]),
    ("I live in Berlin. I'm a nurse.", [("statement", "I live in Berlin."), ("statement", "I'm a nurse.")]),
    ("My daughter's name is Ines and she is four.", [("statement", "My daughter's name is Ines and she is four.")]),
    ("Thanks! The staging server moved to port 8443.", [("statement", "The staging server moved to port 8443.")]),
    (
        "Hi Sam! We decided to use PostgreSQL for the billing service.",
        [("statement", "We decided to use PostgreSQL for the billing service.")],
    ),
    ("We use tabs. Because it is faster.", [("statement", "We use tabs. Because it is faster.")]),
    (
        "The cache lives in Redis. It expires after ten minutes.",
        [("statement", "The cache lives in Redis. It expires after ten minutes.")],
    ),
    (
        "I adopted a puppy last weekend. She is called Biscuit.",
        [("statement", "I adopted a puppy last weekend. She is called Biscuit.")],
    ),
    ("Never commit directly to main.", [("statement", "Never commit directly to main.")]),
    ("Please always run the linter before you push.", [("statement", "Please always run the linter before you push.")]),
    (
        "Remember that the release branch is frozen until Friday.",
        [("statement", "Remember that the release branch is frozen until Friday.")],
    ),
    (
        "The build failed with E0308 in parser.rs. We fixed it by boxing the future.",
        [
            ("statement", "The build failed with E0308 in parser.rs."),
            ("statement", "We fixed it by boxing the future."),
        ],
    ),
    ("Run this to install:\n```sh\nnpm ci\n```", [("code", "Run this to install:\n```sh\nnpm ci\n```")]),
    ("Why does this fail?\n```py\nint('x')\n```", [("code", "Why does this fail?\n```py\nint('x')\n```")]),
    (
        "To reset the database:\ndropdb app\ncreatedb app",
        [("statement", "To reset the database:\ndropdb app\ncreatedb app")],
    ),
    ("Deploy with:\nmake release\nmake publish", [("command", "Deploy with:\nmake release\nmake publish")]),
    ("$ git rebase -i HEAD~3", [("command", "$ git rebase -i HEAD~3")]),
    (
        "We need three services:\n- an API gateway\n- a worker for mail\n- a scheduler",
        [("statement", "We need three services:\n- an API gateway\n- a worker for mail\n- a scheduler")],
    ),
    (
        "- Use httpx instead of requests.\n- Keep functions under forty lines.",
        [("statement", "Use httpx instead of requests."), ("statement", "Keep functions under forty lines.")],
    ),
    (
        "## Decisions\n- Python 3.12 is the minimum version.\n- All times are UTC.",
        [("statement", "Decisions\n- Python 3.12 is the minimum version.\n- All times are UTC.")],
    ),
    ("What database do we use for analytics?", [("question", "What database do we use for analytics?")]),
    ("How about you?", []),
    ("What do you think?", []),
    (
        "Which port does the proxy listen on? It is 8080.",
        [("statement", "Which port does the proxy listen on? It is 8080.")],
    ),
    (
        "Let me check the logs. The worker crashed because the queue was full.",
        [("statement", "The worker crashed because the queue was full.")],
    ),
    (
        "Certainly! The endpoint returns 404 when the user is missing.",
        [("statement", "The endpoint returns 404 when the user is missing.")],
    ),
    (
        "Great, thanks! One more thing: the API key rotates every month.",
        [("statement", "One more thing: the API key rotates every month.")],
    ),
    (
        "My flight to Lisbon leaves on 3 May at 9am, e.g. before Dr. Alves arrives.",
        [("statement", "My flight to Lisbon leaves on 3 May at 9am, e.g. before Dr. Alves arrives.")],
    ),
    ("I work at Acme Corp. as a data engineer.", [("statement", "I work at Acme Corp. as a data engineer.")]),
    (
        "The config is in config/app.toml, not in main.py.",
        [("statement", "The config is in config/app.toml, not in main.py.")],
    ),
    ("Use `ruff check --fix`. Then commit.", [("statement", "Use `ruff check --fix`. Then commit.")]),
    (
        "We chose FastAPI because it generates OpenAPI docs, but Flask would have worked too.",
        [("statement", "We chose FastAPI because it generates OpenAPI docs, but Flask would have worked too.")],
    ),
    (
        "I went hiking in the Dolomites with Tom yesterday! It was amazing.",
        [("statement", "I went hiking in the Dolomites with Tom yesterday!")],
    ),
    ("Wow, that's awesome! How long did the hike take?", [("question", "How long did the hike take?")]),
    ("I'm allergic to peanuts and shellfish.", [("statement", "I'm allergic to peanuts and shellfish.")]),
    ("Congrats, Ana!", []),
    ("PostgreSQL.", [("statement", "PostgreSQL.")]),
    ("The deadline is June 12. Sounds good?", [("statement", "The deadline is June 12.")]),
    (
        "昨日、東京で新しいカフェを見つけました。ありがとう。",
        [("statement", "昨日、東京で新しいカフェを見つけました。")],
    ),
    ("你好\uff01我们的服务器在上海。", [("statement", "我们的服务器在上海。")]),
    (
        "Tests pass on 3.11 but fail on 3.13. The cause is a changed repr.",
        [("statement", "Tests pass on 3.11 but fail on 3.13."), ("statement", "The cause is a changed repr.")],
    ),
    ("I hope this helps! Is there anything else you need?", []),
    ("Don't hesitate to ask. The on-call rota is in PagerDuty.", [("statement", "The on-call rota is in PagerDuty.")]),
    (
        "Decision:\nWe keep the monolith for another year.",
        [("statement", "Decision:\nWe keep the monolith for another year.")],
    ),
    (
        "1. Stop the worker.\n2. Run the migration.\n3. Start the worker.",
        [("statement", "1. Stop the worker.\n2. Run the migration.\n3. Start the worker.")],
    ),
    (
        "My manager is Laura Klein. Her office is on the third floor.",
        [("statement", "My manager is Laura Klein. Her office is on the third floor.")],
    ),
    ("I can't eat gluten. Dairy is fine.", [("statement", "I can't eat gluten. Dairy is fine.")]),
    (
        "The user prefers dark mode and vim key bindings.",
        [("statement", "The user prefers dark mode and vim key bindings.")],
    ),
    (
        "Hey! So I finally quit my job and enrolled in a pottery course.",
        [("statement", "So I finally quit my job and enrolled in a pottery course.")],
    ),
    (
        "Ok so the plan is: first we migrate auth, then billing.",
        [("statement", "Ok so the plan is: first we migrate auth, then billing.")],
    ),
    (
        "The error was ModuleNotFoundError: No module named 'yaml'. Installing PyYAML fixed it.",
        [
            ("statement", "The error was ModuleNotFoundError: No module named 'yaml'."),
            ("statement", "Installing PyYAML fixed it."),
        ],
    ),
    ("It looks good to me. Ship it.", []),
    ("The port is 8080.", [("statement", "The port is 8080.")]),
    ("Me too!", []),
    ("Anything else?", []),
    ("The key is [redacted:openai].", []),
    ("The staging key is [redacted:openai] for the demo.", []),
    ("The admin password is [redacted:password] and the user password is [redacted:password].", []),
    (
        "The billing key is [redacted:openai] and lives in Vault.",
        [("statement", "The billing key is [redacted:openai] and lives in Vault.")],
    ),
    (
        "The queue is at redis://app:[redacted:url_password]@queue:6379.",
        [("statement", "The queue is at redis://app:[redacted:url_password]@queue:6379.")],
    ),
]


@pytest.mark.parametrize(("message", "expected"), MESSAGES)
def test_keeps_what_is_said_and_drops_small_talk(message, expected):
    """Each message of the table gives exactly the statements beside it."""
    assert [(found.kind, found.text) for found in statements(message)] == expected


@given(st.text())
def test_a_statement_is_a_slice_of_its_message_and_none_overlap(message):
    """Offsets point at the words; order is kept."""
    end = 0
    for found in statements(message):
        assert found.text == message[found.start : found.end]
        assert found.start >= end
        end = found.end


@given(
    st.lists(
        st.sampled_from(
            [
                "Hi!",
                "We use tabs.",
                "- item one",
                "```\ncode\n```",
                "Because it is.",
                "Why?",
                "\n",
                "Note:",
                "git status",
            ]
        )
    )
)
def test_statements_of_mixed_messages_never_overlap(parts):
    """The same holds for messages made of the shapes that the rules know."""
    message = "\n".join(parts)
    found = statements(message)
    assert all(a.end <= b.start for a, b in pairwise(found))


def test_a_long_statement_is_cut_at_clause_ends_and_loses_no_word():
    """Prose is bounded, whatever its author's love of semicolons."""
    message = "We moved the billing service to the new cluster; " * 60
    found = statements(message)
    assert all(len(part.text) <= MAX_STATEMENT for part in found)
    assert " ".join(part.text for part in found).split() == message.split()


def test_a_list_longer_than_a_statement_continues_in_the_next():
    """Items are whole, the introduction stays with the first of them."""
    items = [f"- service number {number} keeps its own database and its own on-call rota" for number in range(30)]
    message = "Our services are:\n" + "\n".join(items)
    found = statements(message)
    assert found[0].text.startswith("Our services are:\n- service number 0")
    assert "\n".join(part.text.removeprefix("- ") for part in found).count("service number") == len(items)


def test_a_code_block_is_never_cut_within_reason():
    """A function of some hundred lines is one statement with its introduction."""
    code = "```py\n" + "x = compute(1)\n" * 100 + "```"
    found = statements("The loop looks like this today:\n" + code)
    assert [part.kind for part in found] == ["code"]
    assert found[0].text.endswith(code)


@pytest.mark.parametrize(
    "message",
    ["Let me know if the nightly export to the warehouse fails again.", "Which port?", "PostgreSQL", "42 Elm Street"],
)
def test_a_message_with_content_is_never_lost(message):
    """What would be left out beside other statements is kept when it is all there is."""
    assert statements(message)


@pytest.mark.parametrize("message", ["", " \n\t ", "\0", "\ud800", "...", "\U0001f44d\U0001f3fd", "Hi! \U0001f389"])
def test_a_message_that_says_nothing_has_no_statement(message):
    """Empty, blank and wordless messages are fine."""
    assert statements(message) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "piece", ["a", "1", "(", " ", "@", "<private>", "`", ".", ". ", "It. ", "a\n", "- a\n", "```\n", "Because. "]
)
def test_time_grows_with_the_length_of_a_hostile_message(piece):
    """200 KB of anything take less than a second, also where others use the processor: the best of three is what counts."""
    message = piece * (200_000 // len(piece))

    def taken() -> float:
        started = time.process_time()
        statements(message)
        return time.process_time() - started

    assert any(taken() < SECONDS for _ in range(3))


def test_marks_of_secrets_that_never_end_are_passed_in_little_time():
    """They are nobody's marks."""
    began = time.process_time()
    statements("[redacted:" * 50_000)
    assert time.process_time() - began < 20
