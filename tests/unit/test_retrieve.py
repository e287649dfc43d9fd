"""What a search finds, in which order, and what its scores promise."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kept import Memory
from kept.domain import ranking
from kept.domain.filters import matches, parse_filter
from kept.domain.scope import Scope
from kept.engine.retrieve import RELATED_SIMILARITY
from kept.errors import ConfigurationError, InvalidInputError
from kept.ports import Listing
from kept.testing.fakes import START
from kept.testing.filters import raw_filters
from kept.testing.log_conformance import FILTERS

DAY = timedelta(days=1)
ALICE = Scope(user_id="alice")
WORDS = ("tea", "cake", "Berlin", "deploy", "garden", "violin")
OTHER_WORDS = ("quartz", "lantern", "harbour", "meadow", "copper", "saddle")
SENTENCES = st.lists(st.sampled_from(WORDS), min_size=1, max_size=5).map(" ".join)
UNRELATED = st.lists(st.sampled_from(OTHER_WORDS), min_size=1, max_size=5).map(" ".join)


def scored(engine, query, scope=ALICE, **options):
    return [(hit.memory.id, hit.score) for hit in engine.service.search(scope, query, **options)]


# --- scores ---


def test_what_says_all_that_was_asked_comes_before_its_neighbour_that_says_some(tmp_path):
    """With the default embedder, whose similarities mean something."""
    with Memory(tmp_path / "kept.db") as memory:
        memory.add(["Alice likes tea.", "Bob likes coffee."], user_id="alice", infer=False)
        found = memory.search("Who likes tea?", user_id="alice")["results"]
    assert [hit["memory"] for hit in found] == ["Alice likes tea.", "Bob likes coffee."]


@given(st.lists(SENTENCES, max_size=12), SENTENCES)
def test_scores_lie_between_zero_and_one_and_fall(make_engine, texts, query):
    """Higher is more relevant."""
    engine = make_engine()
    engine.say(*texts) if texts else None
    scores = [score for _, score in scored(engine, query)]
    assert all(0 <= score <= 1 for score in scores)
    assert scores == sorted(scores, reverse=True)


@settings(max_examples=60)
@given(
    st.lists(SENTENCES, min_size=1, max_size=6, unique=True),
    st.lists(UNRELATED, min_size=1, max_size=40, unique=True),
    SENTENCES,
)
def test_storing_something_unrelated_moves_no_score_by_much(make_engine, texts, unrelated, query):
    """So that a threshold means the same tomorrow."""
    engine = make_engine()
    engine.say(*texts)
    before = dict(scored(engine, query, top_k=100))
    engine.say(*unrelated, scope=Scope(user_id="alice", run_id="another"))
    after = dict(scored(engine, query, top_k=100))
    assert max(abs(after[key] - before[key]) for key in before) <= 0.03


@given(st.lists(SENTENCES, min_size=1, max_size=6), SENTENCES)
def test_other_users_move_no_score_at_all(make_engine, texts, query):
    """Counts are taken from one owner's memories: nothing of another's shows, not even in a score."""
    alone, crowded = make_engine(), make_engine()
    alone.say(*texts)
    crowded.say(*texts, scope=ALICE)
    crowded.say(*texts, *WORDS, scope=Scope(user_id="bob"))
    crowded.say(*texts, *WORDS, scope=Scope(project="other", user_id="alice"))
    assert [score for _, score in scored(alone, query)] == [score for _, score in scored(crowded, query)]


@given(st.lists(SENTENCES, min_size=1, max_size=8), SENTENCES)
def test_the_parts_of_a_score_sum_to_its_logit(make_engine, texts, query):
    """What `explain` shows is all there is."""
    engine = make_engine()
    engine.say(*texts)
    for hit in engine.service.search(ALICE, query):
        assert 1 / (1 + math.exp(-sum(hit.parts.values()))) == pytest.approx(hit.score, abs=1e-4)


def test_a_match_scores_above_what_shares_nothing(engine):
    """Far enough for a threshold to tell them apart."""
    engine.say("The violin needs new strings")
    engine.say("Grandmother bakes on Sundays")
    hits = engine.service.search(ALICE, "violin strings")
    assert hits[0].memory.text == "The violin needs new strings"
    assert hits[0].score > hits[1].score + 0.2


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.6, 1.0])
def test_a_threshold_cuts_the_same_list(engine, threshold):
    """It leaves out what scores lower and moves nothing."""
    engine.say("violin strings", "violin lesson", "bread", "the violin needs new strings again")
    everything = scored(engine, "violin strings")
    assert scored(engine, "violin strings", threshold=threshold) == [hit for hit in everything if hit[1] >= threshold]


@pytest.mark.parametrize("top_k", [0, 1, 3, 1_000])
def test_top_k_is_the_beginning_of_the_list(engine, top_k):
    """None, one, some, or all."""
    engine.say(*(f"violin {n}" for n in range(9)))
    everything = scored(engine, "violin 4", top_k=1_000)
    assert len(everything) == 9
    assert scored(engine, "violin 4", top_k=top_k) == everything[:top_k]


@pytest.mark.parametrize("bad", [-1, 1_001, 2.0, "3", None, True])
def test_a_top_k_that_is_no_number_of_hits_is_refused(engine, bad):
    """With the range in the error."""
    with pytest.raises(InvalidInputError, match="top_k"):
        engine.service.search(ALICE, "x", top_k=bad)


@pytest.mark.parametrize("bad", [-0.1, 1.1, float("nan"), "0.5", True])
def test_a_threshold_that_is_no_score_is_refused(engine, bad):
    """Scores lie between 0 and 1."""
    with pytest.raises(InvalidInputError, match="threshold"):
        engine.service.search(ALICE, "x", threshold=bad)


@pytest.mark.parametrize("query", ["", "  ", "\n", "\x00", None, 5, "x" * 100_001])
def test_a_query_that_asks_nothing_is_refused(engine, query):
    """Rather than answered with anything."""
    with pytest.raises(InvalidInputError, match="query"):
        engine.service.search(ALICE, query)


@pytest.mark.parametrize("query", ["?", "the", "🍏", "\u202eאבג", "a" * 100_000, "\ud800", "zzz qqq"])
def test_a_query_that_matches_nothing_still_answers(engine, query):
    """With low scores, never with an error."""
    engine.say("violin")
    assert [hit.score < 0.5 for hit in engine.service.search(ALICE, query)] == [True]


def test_an_empty_store_finds_nothing(engine):
    """Nor one of which everything was deleted."""
    assert engine.find("tea") == []
    (memory,) = engine.say("tea")
    engine.service.delete("default", [memory.id])
    assert engine.find("tea") == []


# --- order ---


def test_ties_go_to_the_newer_memory_and_stay(engine):
    """The same question has the same answer, in the same order."""
    ids = [engine.say("the violin", scope=Scope(user_id="alice", run_id=f"r{n}"))[0].id for n in range(6)]
    found = scored(engine, "violin")
    assert [key for key, _ in found] == ids[::-1]
    assert len({score for _, score in found}) == 1
    assert scored(engine, "violin") == found


def test_closed_facts_come_after_current_ones_and_are_marked(engine):
    """However well they match."""
    (old,) = engine.say("I live in Rome near the river")
    engine.say(facts=[{"text": "I moved to Bonn", "supersedes": [old.id]}], scope=ALICE)
    (wrong,) = engine.say("I live in Oslo near the river")
    engine.service.invalidate("default", wrong.id)
    hits = engine.service.search(ALICE, "live in Rome near the river")
    assert [hit.memory.state for hit in hits] == ["active", "superseded", "invalidated"]
    assert hits[1].score > hits[0].score
    assert engine.find("live in Rome", latest_only=True) == ["I moved to Bonn"]


def test_closed_facts_stay_last_across_users(engine):
    """A search that visits several partitions merges them."""
    for user in ("alice", "bob"):
        scope = Scope(user_id=user)
        (old,) = engine.say(f"{user} lives in Rome", scope=scope)
        engine.say(facts=[{"text": f"{user} lives in Bonn", "supersedes": [old.id]}], scope=scope)
    states = [hit.memory.state for hit in engine.service.search(Scope(user_id="*"), "lives in Rome")]
    assert states == ["active", "active", "superseded", "superseded"]


@pytest.mark.parametrize(
    ("at", "found"), [("2024-06-01", ["Rome"]), ("2025-01-01", ["Bonn"]), ("2025-06-01", ["Bonn"]), ("2019-01-01", [])]
)
def test_a_search_can_ask_what_was_true_then(engine, at, found):
    """Intervals are half-open: at the moment of change the new fact holds."""
    (old,) = engine.say(facts=[{"text": "Rome", "valid_from": "2020-01-01"}])
    engine.say(facts=[{"text": "Bonn", "valid_from": "2025-01-01", "supersedes": [old.id]}])
    assert engine.find("home", valid_as_of=at) == found


def test_without_validity_a_fact_is_true_since_it_was_said(engine):
    """Nothing is known of before."""
    engine.say("I have a cat", timestamp="2025-03-01")
    assert engine.find("cat", valid_as_of="2025-02-28") == []
    assert engine.find("cat", valid_as_of="2025-03-01T00:00:00Z") == ["I have a cat"]


# --- the past ---

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["add", "add", "expiring", "update", "delete", "supersede", "undo", "feedback", "restore"]),
        st.integers(0, 9),
        SENTENCES,
    ),
    min_size=1,
    max_size=10,
)
QUERY = "who said tea in Berlin yesterday?"


def act(engine, known, name, number, text):
    """One change to what alice's memory holds; what cannot be done is left."""
    service = engine.service
    target = service._log.find("default", known[number % len(known)]) if known else None
    if name == "undo" and known:
        service.undo(ALICE) if service._log.last_undoable("default", ALICE) else None
    elif name == "expiring":
        known += [m.id for m in engine.say(text, expiration_date=(engine.clock.now + DAY).date())]
    elif target is None or name == "add":
        known += [m.id for m in engine.say({"role": "user", "content": text, "name": "Zoë" if number > 5 else "Bob"})]
    elif target.state == "deleted":
        service.restore("default", target.id)
    elif name == "update":
        service.update("default", target.id, text=text)
    elif name == "delete":
        service.delete("default", [target.id])
    elif name == "supersede":
        known += [m.id for m in engine.say(facts=[{"text": f"{text} now", "supersedes": [target.id]}])]
    elif name == "feedback":
        service.feedback("default", target.id, "NEGATIVE" if number % 2 else "POSITIVE")


@settings(max_examples=50)
@given(STEPS)
def test_a_search_of_the_past_answers_as_it_did_then(make_engine, steps):
    """By position and by time: the same memories, as they were, in the same order with the same scores."""
    engine = make_engine()
    known, then = [], []
    for step in steps:
        head = engine.log.head()
        act(engine, known, *step)
        if engine.log.head() > head:
            hits = engine.service.search(ALICE, QUERY)
            seen = [(hit.memory, pytest.approx(hit.score, abs=1e-4)) for hit in hits]
            then.append((engine.log.head(), engine.clock.now, seen))
        engine.clock.advance(timedelta(hours=17))
    for seq, moment, seen in then:
        for as_of in (seq, moment):
            found = engine.service.search(ALICE, QUERY, as_of=as_of)
            assert [(hit.memory, hit.score) for hit in found] == seen


def test_before_the_first_memory_nothing_was_known(engine):
    """And after the last, all that is known now."""
    engine.say("tea")
    assert engine.find("tea", as_of=0) == []
    assert engine.find("tea", as_of=START - DAY) == []
    assert engine.find("tea", as_of=99_999) == ["tea"]
    assert engine.find("tea", as_of="2999-01-01") == ["tea"]


def test_an_erased_memory_is_gone_from_the_past_too(engine):
    """Erasure is the one thing that cannot be travelled around."""
    memory, _ = engine.say("the canary", "tea")
    seq = engine.log.head()
    engine.service.erase("default", [memory.id])
    assert engine.find("canary", as_of=seq) == ["tea"]


def test_filters_are_held_against_the_memory_as_it_was(engine):
    """A label given later does not count for then."""
    (memory,) = engine.say("tea", metadata={"shelf": 1})
    seq = engine.log.head()
    engine.service.update("default", memory.id, metadata={"shelf": 2})
    assert engine.find("tea", as_of=seq, filters={"shelf": 1}) == ["tea"]
    assert engine.find("tea", as_of=seq, filters={"shelf": 2}) == []


# --- filters ---


@pytest.fixture(scope="module")
def library(make_engine):
    """Memories of several owners that differ in whatever a filter can ask for."""
    engine = make_engine()
    rows = (
        ("Alice drinks Tea.", "alice", {"stars": 3, "done": True, "tags": ["a", "b"]}, ("food",)),
        ("Bob hates tea in Berlin.", "bob", {"stars": "3", "note": "Hauptstraße 5"}, ()),
        ("I moved to Oslo in May", "u1", {"n": 1, "source": "u2", "a.b": "x"}, ("travel", "food")),
        ("100% of it", "u2", {"n": 1.5, 'it\'s "quoted"': "yes"}, ("u1",)),
        ("ΣΊΣΥΦΟΣ", "Ünal", {"n": None, "tags": ["u1"]}, ()),
    )
    for number, (text, user, metadata, categories) in enumerate(rows):
        run = {"run_id": "run-1"} if number % 2 else {"agent_id": "planner"}
        engine.clock.now = START + number * DAY / 2
        engine.say(text, scope=Scope(user_id=user, **run), metadata=metadata, categories=categories)
    engine.say("Nobody's note on tea", scope=Scope(agent_id="planner"))
    (old,) = engine.say("Somewhere else", scope=Scope(user_id="alice"))
    engine.say(facts=[{"text": "Here", "supersedes": [old.id], "entities": ["Berlin"]}], scope=Scope(user_id="alice"))
    return engine


def agree(library, scope, raw):
    """Whether a filtered search and list hold exactly what the filter means."""
    condition = parse_filter(raw)
    records = library.log.page(Listing(scope=scope), limit=100)
    expected = {record.id for record in records if matches(condition, record)}
    found = library.service.search(scope, "tea in Berlin", filters=raw, top_k=100, show_expired=True)
    listed, total = library.service.list(scope, filters=raw, show_expired=True)
    assert {hit.memory.id for hit in found} == expected
    assert {record.id for record in listed} == expected
    assert total == len(expected)


@pytest.mark.parametrize("raw", FILTERS, ids=str)
def test_a_filter_finds_what_it_means_in_either_grammar(library, raw):
    """`matches` is the reference."""
    agree(library, Scope(user_id="*"), raw)
    agree(library, Scope(user_id="alice"), raw)


@settings(max_examples=150)
@given(raw_filters(max_leaves=6), st.sampled_from([Scope(user_id="*"), Scope(user_id="u1"), Scope(agent_id="planner")]))
def test_no_filter_finds_what_it_does_not_mean(library, raw, scope):
    """However it is built, under whatever scope."""
    assume(raw)
    agree(library, scope, raw)


# --- who and when ---


def test_a_name_in_the_question_asks_for_what_that_person_said(engine):
    """Two people said the same."""
    for name in ("Zoë", "Bob"):
        engine.say({"role": "user", "content": "I would like some tea", "name": name})
    for name in ("Zoë", "Bob"):
        assert engine.service.search(ALICE, f"What does {name} want?")[0].memory.speaker == name


def test_a_date_in_the_question_prefers_what_was_said_then(engine):
    """Absolute or relative to the reference date."""
    for day in range(1, 29):
        engine.say(f"Walked route {day}", timestamp=f"2025-05-{day:02}T10:00:00Z")
    assert engine.find("Which route on 3 May 2025?", top_k=1) == ["Walked route 3"]
    assert engine.find("Which route yesterday?", reference_date="2025-05-18", top_k=1) == ["Walked route 17"]
    engine.clock.now = START.replace(year=2025, month=5, day=10)
    assert engine.find("Which route yesterday?", top_k=1) == ["Walked route 9"]


def test_a_date_in_the_question_finds_what_was_told_of_that_day(engine):
    """Whenever it was told."""
    for day in range(1, 29):
        engine.say(f"The meeting of 2025-09-{day:02} is in room {day}", timestamp="2025-05-01T10:00:00Z")
    assert engine.find("Which room on 9 September 2025?", top_k=1) == ["The meeting of 2025-09-09 is in room 9"]


def test_a_day_that_is_told_moves_with_the_time_of_telling(engine):
    """A correction of when something was said also says when it happened."""
    (memory,) = engine.say("We sailed yesterday", timestamp="2025-05-01T10:00:00Z")
    before = engine.service.search(ALICE, "sailed on 8 September 2025", explain=True)[0].parts.get("date", 0)
    engine.service.update(memory.project, memory.id, timestamp="2025-09-09T10:00:00Z")
    after = engine.service.search(ALICE, "sailed on 8 September 2025", explain=True)[0].parts["date"]
    assert before == 0
    assert after == pytest.approx(next(f.weight for f in ranking.FEATURES if f.name == "date"))


def test_a_verdict_changes_the_ranking(engine):
    """Up, down, and back."""
    first, second = (engine.say("the violin", scope=Scope(user_id="alice", run_id=run))[0].id for run in "ab")
    best = lambda: scored(engine, "violin")[0][0]  # noqa: E731
    assert best() == second
    engine.service.feedback("default", first, "positive")
    assert best() == first
    engine.service.feedback("default", first, "VERY_NEGATIVE")
    assert best() == second
    engine.service.feedback("default", first, None)
    assert len({score for _, score in scored(engine, "violin")}) == 1


def test_what_the_user_said_ranks_above_the_same_from_the_assistant(make_engine):
    """Unless that is switched off."""
    for prefer, expected in ((True, 2), (False, 1)):
        engine = make_engine(prefer_user=prefer)
        for role in ("assistant", "user"):
            engine.say({"role": role, "content": "the violin"}, scope=Scope(user_id="alice", run_id=role))
        assert len({score for _, score in scored(engine, "violin")}) == expected


# --- expiry ---


def test_a_memory_is_found_through_its_last_day_and_hidden_the_day_after(engine):
    """By id it stays, and with `show_expired`."""
    (memory,) = engine.say("the code is 7", expiration_date="2026-01-03")
    for day, visible in ((2, True), (3, True), (4, False), (30, False)):
        engine.clock.now = START.replace(day=day, hour=23, minute=59)
        assert bool(engine.find("code")) == visible
        assert bool(engine.texts()) == visible
        assert engine.find("code", show_expired=True) == engine.texts(show_expired=True) == ["the code is 7"]
        assert engine.service.get("default", memory.id).text == "the code is 7"


# --- related ---


def test_an_add_names_the_memories_close_to_what_it_stored(engine):
    """So that the agent can settle conflicts; the new one itself and the call's others are not among them."""
    (old,) = engine.say("Alice lives in a house in Rome")
    engine.say("bread and butter")
    result = engine.service.add(
        ALICE, ["Alice lives in a house in Bonn", "Alice lives in a house in Oslo"], infer=False
    )
    related = engine.service.related(result)
    for stored in result.stored:
        (close,) = related[stored.memory.id]
        assert close.memory.id == old.id
        assert RELATED_SIMILARITY <= close.score <= 1


def test_what_is_closed_hidden_expired_or_anothers_is_not_related(engine):
    """Related memories are those that still stand, in the same place."""
    text = "Alice lives in a house in"
    (closed,) = engine.say(f"{text} Rome")
    engine.service.invalidate("default", closed.id)
    (deleted,) = engine.say(f"{text} Oslo")
    engine.service.delete("default", [deleted.id])
    engine.say(f"{text} Bonn", expiration_date="2025-12-31")
    engine.say(f"{text} Kyiv", scope=Scope(user_id="bob"))
    engine.say(f"{text} Lima", scope=Scope(user_id="alice", agent_id="planner"))
    engine.say(f"{text} Bern", scope=Scope(project="other", user_id="alice"))
    result = engine.service.add(ALICE, f"{text} Cork", infer=False)
    assert engine.service.related(result) == {result.stored[0].memory.id: []}


@pytest.mark.parametrize(("limit", "expected"), [(-1, 0), (0, 0), (1, 1), (2, 2), (50, 4)])
def test_related_memories_are_the_nearest_few(engine, limit, expected):
    """Nearest first."""
    engine.say(*(f"Alice lives in a big house {n}" for n in range(4)))
    result = engine.service.add(ALICE, "Alice lives in a big house", infer=False)
    found = engine.service.related(result, limit=limit).get(result.stored[0].memory.id, [])
    assert len(found) == expected
    assert [hit.score for hit in found] == sorted((hit.score for hit in found), reverse=True)


# --- reranking ---


class Backwards:
    """Prefers what others like least: the shorter text."""

    def rerank(self, query, texts):  # noqa: ARG002
        return [1 / (1 + len(text)) for text in texts]


def test_a_reranker_orders_the_best_hits_anew(make_engine):
    """Its score is the hit's, and one of the parts."""
    engine = make_engine(reranker=Backwards())
    engine.say("violin strings for the violin", "violin", "bread and butter")
    hits = engine.service.search(ALICE, "violin strings", rerank=True)
    assert [hit.memory.text for hit in hits] == ["violin", "bread and butter", "violin strings for the violin"]
    assert hits[0].score == hits[0].parts["rerank"] == pytest.approx(1 / 7)
    assert len(engine.service.search(ALICE, "violin strings", rerank=True, top_k=1)) == 1


def test_reranking_without_a_reranker_is_refused(engine):
    """Rather than ignored."""
    with pytest.raises(ConfigurationError, match="reranker"):
        engine.service.search(ALICE, "x", rerank=True)


def test_a_month_without_a_year_is_that_of_a_history_that_ended_long_ago(make_engine):
    """Whoever asks about an old import means its May, not the coming one; a given reference date is taken at its word."""
    engine = make_engine()
    for month in (3, 5, 7):
        engine.service.add(
            Scope(user_id="alice"), f"We met in room {month}", infer=False, timestamp=f"2019-0{month}-10", by=None
        )
    found = engine.service.search(Scope(user_id="alice"), "where did we meet in May?", top_k=1)
    assert found[0].parts["date"] > 0
    assert found[0].memory.text == "We met in room 5"
    other = engine.service.search(
        Scope(user_id="alice"), "where did we meet in May?", top_k=3, reference_date="2026-01-01"
    )
    assert all("date" not in hit.parts for hit in other)


RELEASES = ("2025-01-10", "2025-03-20", "2025-02-15")


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("What was the latest release of Quill?", "2025-03-20"),
        ("What was the first release of Quill?", "2025-01-10"),
        ("Which release of Quill came before 2025-02-01?", "2025-01-10"),
        ("Which release of Quill came after 2025-03-01?", "2025-03-20"),
        ("Which release of Quill is upcoming?", "2025-05-30"),
    ],
)
def test_a_question_for_a_part_of_a_history_finds_it_first(engine, query, first):
    """Of memories that match alike, their days decide, as seen from the reference."""
    for day in (*RELEASES, "2025-05-30"):
        engine.say(f"The release of Quill was on {day}", timestamp=datetime(2025, 1, 1, tzinfo=UTC))
    hits = engine.service.search(ALICE, query, top_k=1, reference_date="2025-04-01")
    assert first in hits[0].memory.text


@pytest.mark.parametrize(
    ("query", "first"), [("Which version did we deploy last?", "1.6"), ("Which version did we deploy first?", "1.4")]
)
def test_the_order_of_what_matches_decides_however_long_ago_all_of_it_was(engine, query, first):
    """And whatever was said since about something else."""
    for version, day in (("1.5", "2025-03-20"), ("1.4", "2025-02-03"), ("1.6", "2025-04-02")):
        engine.say(f"We deployed version {version} on {day}", timestamp="2025-05-01")
    engine.say("The office plants want water on Mondays", timestamp="2026-03-30")
    hits = engine.service.search(ALICE, query, top_k=1, reference_date="2026-04-01")
    assert first in hits[0].memory.text


def test_a_history_that_ended_long_ago_is_asked_about_as_of_its_end(engine):
    """Seen from today all of it would be about equally old."""
    for day in RELEASES:
        engine.say(f"The release of Quill was on {day}", timestamp="2025-03-21")
    (hit,) = engine.service.search(ALICE, "What was the latest release of Quill?", top_k=1)
    assert "2025-03-20" in hit.memory.text


STORM = ("2025-01-10", "2025-02-15", "2025-03-20")


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("When did we check the mast before the storm?", 0),
        ("When did we check the mast after the storm?", 2),
        ("After the storm, when did we check the mast?", 2),
    ],
)
def test_before_and_after_something_count_from_when_it_happened(engine, query, first):
    """As the memory says that tells best of it."""
    for day, text in zip(
        STORM, ("We checked the mast", "The storm tore a sail", "We checked the mast anew"), strict=True
    ):
        engine.say(text, timestamp=day)
    hits = engine.service.search(ALICE, query, top_k=1, reference_date="2025-04-01")
    assert hits[0].memory.created_at.date().isoformat() == STORM[first]
    assert hits[0].parts["timely"] > 0


def test_before_something_that_nobody_told_of_is_before_nothing(engine):
    engine.say("We checked the mast", timestamp="2025-01-10")
    (hit,) = engine.service.search(ALICE, "When did we check the mast before the zeppelin landed?")
    assert "timely" not in hit.parts


def test_of_several_users_each_ones_own_event_counts(engine):
    """Alice's storm does not date what Bob did before his."""
    for user, storm in (("alice", "2025-02-15"), ("bob", "2025-06-15")):
        scope = Scope(user_id=user)
        engine.say("We checked the mast", scope=scope, timestamp="2025-04-01")
        engine.say("The storm tore a sail", scope=scope, timestamp=storm)
    hits = engine.service.search(Scope(user_id="*"), "When did we check the mast before the storm?", top_k=2)
    timely = {hit.memory.user_id: hit.parts.get("timely", 0) > 0 for hit in hits if "mast" in hit.memory.text}
    assert timely == {"alice": False, "bob": True}
