"""What a text states as relations, and what only looks like it: a labelled table. The speaker is Ana."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kept.domain.memory import first_person
from kept.domain.relations import MAX_RELATIONS, relations
from kept.domain.relationships import canonical, is_single_valued, opposite
from kept.domain.scope import Scope

STATED = [
    # where people live, work and come from
    ("I live in Berlin.", "Ana lives_in Berlin"),
    ("i live in Berlin", "Ana lives_in Berlin"),
    ("Bob lives in New York.", "Bob lives_in New York"),
    (
        "Bob Marley lives in Kingston and works at Tuff Gong.",
        "Bob Marley lives_in Kingston; Bob Marley works_at Tuff Gong",
    ),
    ("I'm living in Lisbon these days", "Ana lives_in Lisbon"),
    ("We're based in Zurich.", "Ana lives_in Zurich"),
    ("I've been living in Rome since 2019.", "Ana lives_in Rome"),
    ("I moved to Munich last year.", "Ana moved_to Munich"),
    ("I have moved to Hamburg", "Ana moved_to Hamburg"),
    ("Carla moved from Porto to Madrid in May.", "Carla moved_to Madrid"),
    ("I work at Acme Corp as a designer.", "Ana works_at Acme Corp"),
    ("Tom works for the University of Oslo.", "Tom works_at University of Oslo"),
    ("I'm working at Globex now", "Ana works_at Globex"),
    ("My sister lives in Paris.", "Ana's sister lives_in Paris"),
    ("My sister Maria works at Initech.", "Ana sister Maria; Maria works_at Initech"),
    ("I'm from Lisbon", "Ana from Lisbon"),
    ("Tom comes from Ohio.", "Tom from Ohio"),
    ("Ana was born in Porto.", "Ana born_in Porto"),
    ("I'm flying to Lisbon on Monday.", "Ana travels_to Lisbon"),
    ("Bob travels to New York every week.", "Bob travels_to New York"),
    ("Bob joined Initech in March.", "Bob joined Initech"),
    # who people are to each other, and what is theirs
    ("Ana is married to Tom.", "Ana married_to Tom"),
    ("I'm married to Tom", "Ana married_to Tom"),
    ("I'm engaged to Paul.", "Ana engaged_to Paul"),
    ("Maria is my sister", "Ana sister Maria"),
    ("Maria is Bob's sister.", "Bob sister Maria"),
    ("I met my sister Eve in Rome.", "Ana sister Eve"),
    ("We had dinner with my older brother Tom Silva, who cooks.", "Ana older_brother Tom Silva"),
    ("Had a call with our accountant Mr. Fox yesterday", "Ana accountant Mr. Fox"),
    ("I took my dog Rex's bed to the vet.", "Ana dog Rex"),
    ("Ayer vi a mi hermana Eva.", "Ana sister Eva"),
    ("My friend Bob and my cousin Zoe were there.", "Ana cousin Zoe; Ana friend Bob"),
    ("Tom is the boss of Carla", "Carla boss Tom"),
    ("Paul is Ana's best friend.", "Ana best_friend Paul"),
    ("My boss is Carla.", "Ana boss Carla"),
    ("Ana's dog is Rex.", "Ana dog Rex"),
    ("My dog is called Rex", "Ana's dog name Rex"),
    ("I have a cat named Misty.", "Ana cat Misty"),
    ("Bob has a dog called Rex", "Bob dog Rex"),
    ("My dog's name is Rex", "Ana's dog name Rex"),
    ("Our accountant is Mr. Fox.", "Ana accountant Mr. Fox"),
    ("I'm a nurse.", "Ana is_a nurse"),
    ("Bob is a software engineer at Initech", "Bob is_a software engineer"),
    ("My brother is a pilot.", "Ana's brother is_a pilot"),
    ("I'm 34 years old", "Ana age 34"),
    ("I'm vegetarian", "Ana diet vegetarian"),
    ("My name is Ana Silva.", "Ana name Ana Silva"),
    # what people like
    ("my favourite colour is green", "Ana favourite_colour green"),
    ("My favorite color is dark blue.", "Ana favourite_colour dark blue"),
    ("Bob's favourite band is Radiohead", "Bob favourite_band Radiohead"),
    ("I like jazz.", "Ana likes jazz"),
    ("I love hiking and swimming.", "Ana likes hiking; Ana likes swimming"),
    ("I enjoy reading, cooking, and board games.", "Ana likes reading; Ana likes cooking; Ana likes board games"),
    ("Tom hates olives", "Tom dislikes olives"),
    ("I prefer tea over coffee", "Ana prefers tea"),
    ("Bob prefers dark mode.", "Bob prefers dark mode"),
    ("Ana and Bob like sushi", "Ana likes sushi; Bob likes sushi"),
    ("I'm allergic to peanuts.", "Ana allergic_to peanuts"),
    ("I play clarinet.", "Ana plays clarinet"),
    ("Carla speaks Italian and French.", "Carla speaks Italian; Carla speaks French"),
    ("My hobby is knitting", "Ana hobby knitting"),
    # what uses what
    ("We use Postgres and Redis for the queue.", "Ana uses Postgres; Ana uses Redis"),
    ("I use vim, tmux and zsh.", "Ana uses vim; Ana uses tmux; Ana uses zsh"),
    ("I've been using Neovim for years", "Ana uses Neovim"),
    ("The worker uses Celery.", "worker uses Celery"),
    ("pnpm replaced npm", "pnpm replaced npm"),
    ("Redis was replaced by Valkey.", "Valkey replaced Redis"),
    ("We switched from npm to pnpm.", "Ana uses pnpm; pnpm replaced npm"),
    ("We've migrated from Heroku to Fly.io", "Ana uses Fly.io; Fly.io replaced Heroku"),
    ("We replaced Redis with Valkey", "Valkey replaced Redis; Ana uses Valkey"),
    ("We decided to use Terraform.", "Ana uses Terraform"),
    ("We agreed to switch from Jest to Vitest", "Ana uses Vitest; Vitest replaced Jest"),
    ("The backend depends on Postgres 16.", "backend depends_on Postgres 16"),
    ("kept depends on numpy", "kept depends_on numpy"),
    ("Kept is written in Python.", "Kept written_in Python"),
    ("The frontend is built with React.", "frontend built_with React"),
    ("Postgres is used by Billing", "Billing uses Postgres"),
    ("The repo is owned by Carla.", "Carla owns repo"),
    ("Flask was created by Armin Ronacher", "Armin Ronacher created Flask"),
    ("Our API uses FastAPI.", "API uses FastAPI"),
    ("The staging DB is Postgres 16", "staging DB is Postgres 16"),
    ("The default branch is main", "default branch is main"),
    ("The Python version is 3.12", "Python version 3.12"),
    ("I'm using Flask 2.3.1 and SQLAlchemy 2.0.19", "Ana uses Flask 2.3.1; Ana uses SQLAlchemy 2.0.19"),
    ("`Service` calls `Retrieve.search`", "Service calls Retrieve.search"),
    # where things are
    ("The API runs on port 8080.", "API port 8080"),
    ("The API's port is 8080", "API port 8080"),
    ("The port of the API is 8080.", "API port 8080"),
    ("The admin server listens on localhost:9000", "admin server address localhost:9000"),
    ("The dashboard is at https://example.org/dash", "dashboard address https://example.org/dash"),
    ("The config is at path /etc/kept.toml", "config path /etc/kept.toml"),
    ("The schema lives in src/schema.sql", "schema path src/schema.sql"),
    ("The workers run on Kubernetes", "workers runs_on Kubernetes"),
    ("The site deploys to Netlify", "site deploys_to Netlify"),
    ("The app is deployed to Fly.io.", "app deploys_to Fly.io"),
    ("The docs are hosted on GitHub Pages", "docs hosted_on GitHub Pages"),
    # when things are
    ("The release is on Friday", "release when Friday"),
    ("The deadline is March 3", "deadline when March 3"),
    ("My flight is at 3pm", "Ana's flight when 3pm"),
    # more than one clause
    ("I live in Bonn, but I work at Acme", "Ana lives_in Bonn; Ana works_at Acme"),
    ("Actually, I use Emacs now.", "Ana uses Emacs"),
    ("- I use fish shell", "Ana uses fish shell"),
    ("No, I live in Rome.", "Ana lives_in Rome"),
    ("Dr. Silva lives in Porto. I like her.", "Dr. Silva lives_in Porto"),
    # German, Spanish, French
    ("Ich wohne in Berlin.", "Ana lives_in Berlin"),
    ("Ana arbeitet bei Siemens", "Ana works_at Siemens"),
    ("Wir verwenden Postgres.", "Ana uses Postgres"),
    ("Ich mag Kaffee und Tee", "Ana likes Kaffee; Ana likes Tee"),
    ("Meine Lieblingsfarbe ist Gr\u00fcn", "Ana favourite_colour Gr\u00fcn"),
    ("Mein Hund hei\u00dft Rex", "Ana dog Rex"),
    ("Ich hei\u00dfe Ana Silva.", "Ana name Ana Silva"),
    ("Vivo en Madrid.", "Ana lives_in Madrid"),
    ("Trabajo para Inditex", "Ana works_at Inditex"),
    ("Me gusta el caf\u00e9", "Ana likes caf\u00e9"),
    ("Mi perro se llama Rex", "Ana dog Rex"),
    ("Carlos vive en Sevilla", "Carlos lives_in Sevilla"),
    ("Usamos Postgres", "Ana uses Postgres"),
    ("J'habite \u00e0 Paris", "Ana lives_in Paris"),
    ("Je travaille chez Renault", "Ana works_at Renault"),
    ("J'utilise Emacs", "Ana uses Emacs"),
    ("Mon chien s'appelle Rex", "Ana dog Rex"),
    ("Ma couleur pr\u00e9f\u00e9r\u00e9e est le vert", "Ana favourite_colour vert"),
]

SILENT = [
    # asked
    "Do you use Postgres?",
    "Does Bob live in Berlin?",
    "I use vim, right?",
    "Where does Ana work?",
    "Wohnst du in Berlin?",
    # denied
    "I don't use vim",
    "We do not use Redis.",
    "The worker does not use Celery.",
    "I never use Emacs",
    "Bob doesn't live in Berlin",
    "I'm not from Lisbon.",
    "Ana is not married to Tom",
    "The API no longer runs on port 8080.",
    "Ich benutze kein vim",
    "Ich mag Kaffee nicht",
    "No uso Windows",
    "Je n'aime pas le caf\u00e9",
    # supposed
    "If we switch to Postgres, the API runs on port 5433",
    "I would use Rust for that",
    "Maybe I live in the wrong city",
    "We could use Redis",
    "Imagine I live in Paris.",
    "We might move to Berlin",
    "I wish I lived in Rome",
    "Let's say Bob works at Acme, would that help?",
    # past or future
    "I used to live in Rome.",
    "I lived in Rome for three years",
    "I will move to Berlin",
    "We used Jenkins back then.",
    "I flew to Lisbon.",
    "The parcel travels to the depot",
    # somebody else's words
    'Bob said "I use vim"',
    "> I live in Berlin",
    'She wrote: "I live in Rome. I love it."',
    "Bob says I live in the past",
    "I heard that Ana lives in Berlin",
    "Tom thinks Carla works at Acme",
    # pronouns that only the text before could resolve
    "He lives in Berlin",
    "It uses Redis",
    "They prefer tea",
    "You use Postgres",
    "She is married to Tom",
    # nobody's name
    "I saw my sister Monday.",
    "I went to my sister, Berlin was cold.",
    "My brother and Tom met.",
    "I bought my sister AirPods.",
    "I gave my dog Benadryl",
    "I asked my boss if Tom came.",
    "I met your sister Eve.",
    "Did you meet my sister Eve?",
    "I work with my hands in Berlin",
    "I told my friend I was late",
    # nothing in particular
    "I like it",
    "I love the idea",
    "I use it a lot",
    "We use a variety of tools",
    "I like how this works",
    "I love getting lost",
    "The problem is Postgres",
    "My job is stressful",
    "My car is broken",
    "Our team is dedicated to quality",
    "I'm a bit tired",
    "Bob is a great help",
    "The total is 7",
    "I work from home",
    "I moved to the sofa",
    "I'd like a coffee",
    "I like to read",
    "I live in a small flat",
    "Use Postgres or MySQL",
    "We use Postgres or MySQL",
    "I switched to a new job",
    "Networking plays a big role",
    # no statements
    "Tools like Redis are fast",
    "**Materials**: Uses organic cotton",
    "Everyone uses Git",
    "```\nI use vim\n```",
    "Nobody likes Mondays",
    "The use of Redis is fine",
    "Thanks!",
    "",
]


@pytest.mark.parametrize(("text", "expected"), STATED)
def test_what_a_text_states(text, expected):
    found = relations(text, speaker="Ana")
    assert "; ".join(f"{one.source} {one.relationship} {one.target}" for one in found) == expected


@pytest.mark.parametrize("text", SILENT)
def test_what_states_nothing(text):
    assert relations(text, speaker="Ana") == ()


def test_the_table_is_as_large_as_is_said_of_it():
    assert len({text for text, _ in STATED} | set(SILENT)) >= 180


def test_without_a_speaker_the_first_person_states_nothing():
    assert relations("I live in Berlin. Bob lives in Rome.") == relations("Bob lives in Rome.")
    assert relations("My sister Maria lives in Rome") == ()


@pytest.mark.parametrize(
    ("role", "speaker", "user_id", "expected"),
    [
        ("user", "user", "ana", "ana"),
        ("user", "Ana Silva", "ana", "Ana Silva"),
        ("user", "user", None, "user"),
        (None, None, "ana", "ana"),
        (None, None, None, None),
        ("assistant", "assistant", "ana", None),
        ("assistant", "Clara", "ana", "Clara"),
        ("tool", "tool", "ana", None),
    ],
)
def test_whom_the_first_person_means(role, speaker, user_id, expected):
    assert first_person(Scope(user_id=user_id, agent_id="bot"), role, speaker) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Lives In", "lives_in"),
        ("WORKS-FOR", "works_at"),
        ("favorite_color", "favourite_colour"),
        ("colorado_trip", "colorado_trip"),
        ("loves", "likes"),
        ("hates", "dislikes"),
        ("is friends with", "is_friends_with"),
    ],
)
def test_a_relationship_has_one_spelling(name, expected):
    assert canonical(name) == expected


def test_what_has_one_value_is_told_from_what_has_many():
    assert all(map(is_single_valued, ["lives_in", "Works For", "port", "version", "favorite color", "default_branch"]))
    assert not any(map(is_single_valued, ["likes", "uses", "dog", "sister", "speaks", "mentioned_with"]))


def test_likes_and_dislikes_exclude_each_other():
    assert opposite("loves") == "dislikes"
    assert opposite("hates") == "likes"
    assert opposite("uses") is None


@given(st.text(max_size=400), st.none() | st.text(min_size=1, max_size=20))
def test_any_text_gives_whole_relations(text, speaker):
    found = relations(text, speaker=speaker)
    assert len(found) <= MAX_RELATIONS
    assert len(set(found)) == len(found)
    assert all(one.source and one.relationship and one.target.strip() for one in found)


WORDS = st.sampled_from(
    [
        "I",
        "we",
        "Ana",
        "Bob's",
        "my",
        "the",
        "is",
        "are",
        "use",
        "uses",
        "lives",
        "in",
        "to",
        "from",
        "and",
        "or",
        ",",
        "not",
        "a",
        "dog",
        "Rex",
        "Berlin",
        "switched",
        "with",
        "8080",
        "port",
        "on",
        "of",
        "call()",
        "été",
    ]
)


@given(st.lists(WORDS, max_size=20))
def test_any_words_give_whole_relations(words):
    assert all(one.source and one.target for one in relations(" ".join(words), speaker="Ana"))


def test_a_long_list_is_cut():
    listed = ", ".join(f"Tool{n}" for n in range(50))
    assert len(relations(f"We use {listed} and more", speaker="Ana")) <= MAX_RELATIONS


@pytest.mark.parametrize(
    "text", ["I use " + "a " * 50_000, "Ana's " * 20_000, '"' * 50_000, "is " * 50_000, "` " * 50_000]
)
def test_hostile_text_takes_no_time(text):
    began = time.perf_counter()
    relations(text, speaker="Ana")
    assert time.perf_counter() - began < 1.0
