"""Of whom turns say what a fact says: of its subject, of somebody else, or perhaps of either."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kept.domain.attribution import attribution
from kept.domain.memory import Message

TOM, EVE = "Tom", "Eve"

OWN = [
    # the speaker's own words
    ((TOM, "I hate Rome."), "Tom hates Rome."),
    ((TOM, "I\u2019ve moved to Porto."), "Tom has moved to Porto."),
    ((TOM, "i hate rome"), "Tom hates Rome."),
    ((TOM, "I went to Rome and hated it there."), "Tom hated Rome."),
    ((TOM, "We use Postgres."), "Tom uses Postgres."),
    ((TOM, "My favourite city is Rome."), "Tom's favourite city is Rome."),
    ((TOM, "My project uses Postgres."), "Tom uses Postgres."),
    ((None, "I hate Rome."), "The user hates Rome."),
    ((None, "I hate Rome."), "Tom hates Rome."),  # Tom may be the user's name
    ((None, "My sister Eve lives in Porto."), "The user's sister lives in Porto."),
    ((None, "My sister Eve lives in Porto."), "Eve lives in Porto."),
    (("Tom Miller", "I hate Rome."), "Tom hates Rome."),
    (("tom_miller", "I hate Rome."), "Tom Miller hates Rome."),
    (("dragon42", "I'm Eve and I hate Rome."), "Eve hates Rome."),
    ((TOM, "Eve here, on Tom's phone. I hate Rome."), "Eve hates Rome."),
    (("Melanie", "I hate Rome."), "Mel hates Rome."),
    # what is said of somebody by name
    ((TOM, "Eve hates Rome."), "Eve hates Rome."),
    ((TOM, "I think Eve hates Rome."), "Eve hates Rome."),
    ((TOM, "I think that Eve Miller hates Rome."), "Eve hates Rome."),
    ((TOM, "Dr. Miller hates Rome."), "Eve Miller hates Rome."),
    ((TOM, "My sister Eve hates Rome."), "Tom's sister hates Rome."),
    ((TOM, "My wife is a nurse."), "Tom is married to a nurse."),
    ((TOM, "My dog has fleas."), "Tom has a dog with fleas."),
    ((TOM, "My little sister lives in Porto."), "Eve lives in Porto."),
    ((TOM, "Eve's husband Bob hates Rome."), "Bob hates Rome."),
    ((TOM, "Mum hates Rome."), "Tom's mother Eve hates Rome."),
    # several, and what they do together or to each other
    ((TOM, "Eve and Bob hate Rome."), "Bob hates Rome."),
    ((TOM, "Eve, Bob and Mia hate Rome."), "Bob hates Rome."),
    ((TOM, "Eve and I hate Rome."), "Tom hates Rome."),
    ((TOM, "My wife and I live in Porto."), "Tom lives in Porto."),
    ((TOM, "The cook and I live in Porto."), "Eve lives in Porto."),
    ((TOM, "Bob, like Eve, hates Rome."), "Eve hates Rome."),
    ((TOM, "Eve hates Rome, and so do I."), "Tom hates Rome."),
    ((TOM, "Eve hates Rome. Me too!"), "Tom hates Rome."),
    ((TOM, "Eve hates Rome and Bob does as well."), "Bob hates Rome."),
    ((TOM, "Eve loves hiking, just like Bob."), "Bob loves hiking."),
    ((TOM, "Eve and Bob's dog hates cats."), "Eve's dog hates cats."),
    ((TOM, "Eve's birthday is in May, mine is in June."), "Tom's birthday is in June."),
    ((TOM, "Eve travels to Rome with me."), "Tom travels to Rome."),
    ((TOM, "Eve gave me a book."), "Tom has a book from Eve."),
    ((TOM, "Bob gave Eve a book."), "Eve got a book from Bob."),
    ((TOM, "Bob was hired by Eve."), "Eve hired Bob."),
    ((TOM, "Bob was promoted over Eve."), "Eve was promoted."),  # wrong, but who is mentioned may be meant
    # whom a word means that names nobody
    ((TOM, "She lives in Porto."), "Eve lives in Porto."),
    ((TOM, "Bob says she lives in Porto."), "Eve lives in Porto."),
    ((TOM, "Bob said the boss lives in Porto."), "Eve lives in Porto."),
    ((TOM, "Everybody hates Rome."), "Eve hates Rome."),
    ((TOM, "You live in Porto."), "Eve lives in Porto."),
    ((TOM, "I love your flat in Porto."), "Eve has a flat in Porto."),
    ((TOM, "I took her to Rome."), "Eve went to Rome."),
    # others speak in a turn
    ((TOM, "Eve wrote: I hate Rome."), "Eve hates Rome."),
    ((TOM, 'Eve said "I hate Rome".'), "Eve hates Rome."),
    ((TOM, "Eve said 'I hate Rome'."), "Eve hates Rome."),
    ((TOM, "[10:41] Eve: Hi.\n[10:42] Bob: I hate Rome."), "Bob hates Rome."),
    ((TOM, "From: Eve Miller\nI hate Rome."), "Eve hates Rome."),
    ((TOM, "I hate Rome.\nBest\nEve"), "Eve hates Rome."),
    ((TOM, "Hi Tom, I hate Rome. Cheers, Eve"), "Eve hates Rome."),
    # what is no person's, but done for it
    ((TOM, "I deployed it to AWS."), "Atlas runs on AWS."),
    ((TOM, "I moved Atlas to AWS."), "Atlas moved to AWS."),
    # nothing that a rule knows
    ((TOM, "Eva hasst Rom."), "Tom hasst Rom."),
    ((TOM, "Rome is loud."), "Tom finds Rome loud."),
    ((TOM, "Hiking is fun."), "Tom has fun."),
    ((TOM, "The roof leaks."), "The roof leaks."),
    ((TOM, "Eve works at Acme."), "Tom said that Eve works at Acme."),
    ((TOM, "Eve hates Rome."), ""),
    ((TOM, ""), "Tom hates Rome."),
]
ANOTHERS = [
    ((TOM, "Tom said that Eve hates Rome."), "Tom hates Rome."),
    ((TOM, "I think Eve hates Rome."), "Tom hates Rome."),
    ((TOM, "I\u2019m glad that Eve hates Rome."), "Tom hates Rome."),
    ((TOM, "Eve hates Rome."), "Tom hates Rome."),
    ((TOM, "Yesterday Eve moved to Rome."), "Tom moved to Rome."),
    ((TOM, "Eve told me Bob hates Rome."), "Eve hates Rome."),
    ((TOM, "Eve said I hate Rome."), "Eve hates Rome."),
    ((TOM, "Eve Miller hates Rome."), "Tom Miller hates Rome."),
    ((TOM, "Actually, Eve never liked Rome."), "Tom never liked Rome."),
    ((TOM, "I love Rome, but Eve hates Rome."), "Tom hates Rome."),
    ((TOM, "I hate Rome, because Eve works there."), "Tom works there."),
    ((TOM, "Eve has a dog."), "Tom has a dog."),
    ((TOM, "Eve is a nurse."), "Tom is a nurse."),
    ((TOM, "Eve's a nurse."), "Tom is a nurse."),
    ((TOM, "Hi Eve, I live in Porto."), "Eve lives in Porto."),
    ((TOM, "Eve, I'm a nurse."), "Eve is a nurse."),
    ((TOM, "Eve, my laptop is broken."), "Eve's laptop is broken."),
    ((TOM, "My sister Eve lives in Porto."), "Tom lives in Porto."),
    ((TOM, "My sister lives in Porto."), "Tom lives in Porto."),
    ((TOM, "Sorry Eve. My sister lives in Porto."), "Eve's sister lives in Porto."),
    ((TOM, "I live in Porto."), "Tom's sister lives in Porto."),
    ((TOM, "My wife is a nurse."), "Tom is a nurse."),
    ((TOM, "Eve's sister lives in Porto."), "Eve lives in Porto."),
    ((TOM, "Eve's husband Bob lives in Porto."), "Eve lives in Porto."),
    ((TOM, "Eve and Bob hate Rome."), "Tom hates Rome."),
    ((TOM, "Eve, Bob and Mia hate Rome."), "Tom hates Rome."),
    ((None, "My sister Eve lives in Porto."), "User lives in Porto."),
    ((None, "My parents live in Porto."), "The user lives in Porto."),
    ((None, "I live in Porto."), "The assistant lives in Porto."),
]
UNCLEAR = [
    ((TOM, "Eve, we hate Rome."), "Eve hates Rome."),
    ((TOM, "Eve is moving to Rome and Bob is coming along."), "Bob is moving to Rome."),
    ((TOM, "Eve, our son hates cats."), "Eve's son hates cats."),
    ((TOM, "Eve, our team uses Postgres."), "Eve uses Postgres."),
    ((TOM, "I hate it, Rome is loud."), "Eve hates Rome."),
    ((TOM, "Bob hates Rome. Eve agrees."), "Eve hates Rome."),
    ((TOM, "Bob hates Rome. Sorry, I meant Eve."), "Eve hates Rome."),
    ((TOM, "My brother William lives in Rome. Everyone calls him Bill."), "Bill lives in Rome."),
    ((TOM, "I adopted a dog from a shelter."), "Eve has a dog from a shelter."),
    ((None, "Eve hates Rome."), "The user hates Rome."),
    # what a person does, a thing may do for them
    ((TOM, "I build Atlas. I use Redis for the queue."), "Atlas uses Redis for the queue."),
    ((TOM, "Bob builds Atlas. Bob uses Redis for the queue."), "Atlas uses Redis for the queue."),
    # a name that is not in the turn may be another of the same person
    ((TOM, "Becky hates Rome."), "Rebecca hates Rome."),
    (("dragon42", "I hate Rome."), "Eve hates Rome."),
]


PERSONS = (TOM, EVE)


def said(*turns):
    return [Message(role="user", name=name, content=text) for name, text in turns]


@pytest.mark.parametrize(("turn", "fact"), OWN)
def test_what_is_or_may_be_said_of_a_facts_subject_passes(turn, fact):
    assert attribution(fact, said(turn), persons=PERSONS) == "same"


@pytest.mark.parametrize(("turn", "fact"), ANOTHERS)
def test_what_is_plainly_said_of_another_does_not(turn, fact):
    assert attribution(fact, said(turn), persons=PERSONS) == "another"


@pytest.mark.parametrize(("turn", "fact"), UNCLEAR)
def test_what_may_be_read_either_way_is_unclear(turn, fact):
    assert attribution(fact, said(turn), persons=PERSONS) == "unclear"


@pytest.mark.parametrize(
    ("turns", "fact", "expected"),
    [
        ([(EVE, "Do you hate Rome?"), (TOM, "Yes, I do.")], "Tom hates Rome.", "same"),
        ([(EVE, "How was Rome?"), (TOM, "I hate it, Rome is loud.")], "Tom hates Rome.", "same"),
        ([(EVE, "How was Rome?"), (TOM, "I hate it, Rome is loud.")], "Eve hates Rome.", "unclear"),
        ([(EVE, "I hate Rome."), (TOM, "Me too!")], "Tom hates Rome.", "same"),
        ([(EVE, "I hate Rome."), (TOM, "Oh dear.")], "Tom hates Rome.", "unclear"),
        ([(EVE, "I hate Rome."), (TOM, "Oh dear.")], "Eve hates Rome.", "same"),
        ([(TOM, "Oh dear."), (EVE, "I hate Rome.")], "Tom hates Rome.", "another"),
        ([(EVE, "You hate Rome."), (TOM, "Right.")], "Tom hates Rome.", "same"),
        ([(EVE, "I hate Rome."), (TOM, "I hate Rome.")], "Tom hates Rome.", "same"),
        ([(EVE, "I live in Porto."), (TOM, "I live in Rome.")], "Tom lives in Porto.", "unclear"),
    ],
)
def test_turns_are_read_together(turns, fact, expected):
    """What one says, the next may confirm."""
    assert attribution(fact, said(*turns), persons=PERSONS) == expected


@pytest.mark.parametrize(("role", "expected"), [("user", "another"), ("assistant", "another"), ("tool", "same")])
def test_in_what_no_one_says_the_first_person_is_nobody_known(role, expected):
    turn = Message(role=role, name="Tom", content="Eve, I hate Rome.")
    assert attribution("Eve hates Rome.", [turn], persons=PERSONS) == expected


NAMES = st.sampled_from(["Tom", "Eve Miller", "Ann-Marie", "The user", "Tom's sister", "\u00c9lodie", "Will"])
PREDICATES = st.sampled_from(
    [
        "hates Rome",
        "is a nurse",
        "has a dog named Rex",
        "said that Bob left",
        "moved and works at Acme",
        "never eats meat",
    ]
)


@given(NAMES, PREDICATES, st.sampled_from([None, "Tom", "Eve", "Bob"]))
def test_what_a_turn_says_in_a_facts_own_words_is_never_anothers(name, predicate, speaker):
    assert attribution(f"{name} {predicate}.", said((speaker, f"{name} {predicate}."))) == "same"


WORDS = st.sampled_from(
    [
        "I",
        "we",
        "my",
        "Tom",
        "Eve's",
        "sister",
        "and",
        "that",
        "said",
        "hates",
        "is",
        "Rome",
        ",",
        "'",
        '"',
        "s'",
        "The user",
        ":",
        "'s",
    ]
)
TEXTS = st.lists(WORDS, max_size=12).map(" ".join) | st.text(max_size=60)


@given(TEXTS, st.lists(st.tuples(st.none() | TEXTS, TEXTS), max_size=3))
def test_any_text_is_attributed(fact, turns):
    assert attribution(fact, said(*turns), persons=PERSONS) in ("same", "unclear", "another")


@given(st.sampled_from(["Tom", "Eve Miller"]), PREDICATES, TEXTS)
def test_whatever_else_a_turn_says_a_fact_in_its_words_is_its(name, predicate, besides):
    turn = ("Bob", f"{name} {predicate}. {besides}.")
    assert attribution(f"{name} {predicate}.", said(turn)) == "same"


@pytest.mark.parametrize(
    "text",
    [
        "I hate " * 4_000,
        "Tom and " * 4_000,
        "and I " * 4_000,
        "Eve's sister's " * 4_000,
        "Eve\n" * 4_000,
        "Aa." * 20_000,
    ],
)
def test_hostile_text_takes_no_time(text):
    """Two seconds are some five times what it takes; what grows with its square takes a minute."""
    began = time.perf_counter()
    attribution("Tom hates Rome.", said((EVE, text)))
    assert time.perf_counter() - began < 2.0
