"""How alike texts are that say the same, replace one another, or do neither: what resolution's two limits were read from."""

from __future__ import annotations

import numpy as np

from kept.adapters.embedders.wordllama import WordLlamaEmbedder
from kept.domain.resolution import RELATED_SIMILARITY, SAME_SIMILARITY

SAME = [
    ("Ana lives in Berlin.", "Ana's home is in Berlin."),
    ("Ana prefers dark mode.", "Ana likes dark mode better than light mode."),
    ("The API runs on port 8080.", "The API listens on port 8080."),
    ("Tests are run with pytest.", "pytest is used to run the tests."),
    ("Ben is allergic to peanuts.", "Ben has a peanut allergy."),
    ("The team deploys on Fridays.", "Deployments happen every Friday."),
    ("Mia works at Siemens as an engineer.", "Mia is an engineer at Siemens."),
    ("Ana has a dog called Rex.", "Ana's dog is named Rex."),
    ("The database is Postgres 16.", "Postgres 16 is used as the database."),
    ("Ana wants answers in German.", "Ana prefers replies in German."),
    ("The project uses tabs for indentation.", "Indentation in the project is done with tabs."),
    ("Ana will visit Rome on 2026-05-02.", "Ana plans a trip to Rome on 2026-05-02."),
    ("Commit messages are in the imperative.", "The imperative mood is used for commit messages."),
    ("Leo runs marathons.", "Leo is a marathon runner."),
    ("The staging server is at 10.0.0.5.", "Staging runs on the server 10.0.0.5."),
    ("Ana is a vegetarian.", "Ana does not eat meat."),
    ("Ana ist Lehrerin in Bonn.", "Ana arbeitet als Lehrerin in Bonn."),
    ("The release is cut from main.", "Releases are made from the main branch."),
]

REPLACING = [
    ("Ana lives in Berlin.", "Ana lives in Hamburg."),
    ("The API runs on port 8080.", "The API now listens on port 9090."),
    ("Tests are run with unittest.", "The team switched from unittest to pytest."),
    ("Mia works at Siemens.", "Mia started a new job at Bosch."),
    ("The database is MySQL.", "We migrated the database to Postgres."),
    ("Ana drinks coffee every morning.", "Ana stopped drinking coffee."),
    ("The meeting is on Tuesday.", "The meeting was moved to Thursday."),
    ("Ana is single.", "Ana married Ben in June 2026."),
    ("The frontend uses Vue.", "The frontend was rewritten in React."),
    ("Ana has no pets.", "Ana adopted a cat called Miu."),
    ("Deployments go to Heroku.", "We deploy to Fly.io now."),
    ("Leo's flight is at 9:00.", "Leo's flight was rescheduled to 14:30."),
    ("Ana wohnt in Köln.", "Ana ist nach Leipzig gezogen."),
    ("Use 4 spaces.", "Indent with tabs from now on."),
]

OTHER = [
    ("Ana lives in Berlin.", "Ana likes rowing."),
    ("The API runs on port 8080.", "The team deploys on Fridays."),
    ("Ana prefers dark mode.", "Ben is allergic to peanuts."),
    ("Mia works at Siemens.", "Mia visits Rome in May."),
    ("Ana has a dog called Rex.", "Ana drinks coffee every morning."),
    ("The database is Postgres 16.", "The frontend uses Vue."),
    ("Ana is a vegetarian.", "Ana's flight is at 9:00."),
    ("Use 4 spaces.", "The release is cut from main."),
    ("Ana lives in Berlin.", "Postgres listens on port 5432."),
    ("Leo runs marathons.", "Leo's sister is called Eva."),
    ("Commit messages are in English.", "The meeting is on Tuesday."),
    ("Ana wohnt in Köln.", "Ana isst gern Käse."),
]


def similarities(pairs):
    embedder = WordLlamaEmbedder()
    vectors = embedder.embed_documents([text for pair in pairs for text in pair]).reshape(len(pairs), 2, -1)
    return np.einsum("nd,nd->n", vectors[:, 0], vectors[:, 1])


def test_paraphrases_are_alike_and_other_things_about_one_person_are_not():
    assert (similarities(SAME) >= SAME_SIMILARITY).sum() == len(SAME) - 1
    assert (similarities(OTHER) >= SAME_SIMILARITY).sum() == 1


def test_what_replaces_a_statement_is_related_to_it():
    assert (similarities(REPLACING) >= RELATED_SIMILARITY).sum() == len(REPLACING) - 1
