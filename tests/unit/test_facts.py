"""What may become a memory of what a language model answered."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kept.domain.facts import MAX_FACT_CHARACTERS, MAX_NEAR, UNCONFIRMED, read, schema
from kept.domain.memory import FACT_TYPES, Attachment, EntityRef, MemoryRecord, Message, Relation
from kept.domain.parts import Part
from kept.domain.scope import Scope

REFERENCE = datetime(2026, 3, 11, 9, 30, tzinfo=UTC)
CANARY = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"
ANN = Message(role="user", name="Ann", content="I moved to Berlin yesterday. I like tea.")
DRAWN = Attachment(kind="image", url="https://x.test/a.png")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)
FACT = st.fixed_dictionaries(
    {},
    optional={
        "t": st.sampled_from(["Ann likes tea.", "Ann likes coffee.", ""]) | JSON,
        "s": st.lists(st.integers(-1, 4) | JSON, max_size=3) | JSON,
        "k": st.sampled_from(FACT_TYPES) | JSON,
        "c": st.floats(0, 1) | JSON,
        "from": st.sampled_from(["2026-03-10", "2026", "soon"]) | JSON,
        "to": st.sampled_from(["2026-03-10", "2026", "soon"]) | JSON,
        "e": st.lists(st.lists(st.sampled_from(["Ann", "tea", "person"])) | JSON, max_size=3) | JSON,
        "r": st.lists(st.lists(st.sampled_from(["Ann", "tea", "likes"])) | JSON, max_size=3) | JSON,
        "g": st.lists(st.sampled_from(["food", "x"]) | JSON, max_size=3) | JSON,
        "same": st.sampled_from(["m1", "m9"]) | JSON,
        "refines": st.sampled_from(["m1", "m2"]) | JSON,
        "contradicts": st.lists(st.sampled_from(["m1", "m2", "m3"]) | JSON, max_size=3) | JSON,
    },
)


def part(*messages, first=0):
    return Part(messages=tuple(enumerate(messages, start=first)))


def fact(text="Ann likes tea.", turns=(1,), **fields):
    return {"t": text, "s": list(turns), "k": "preference", "c": 0.9} | fields


def memory(number, text=None):
    return MemoryRecord(
        id=f"id-{number}",
        key=number,
        seq=number,
        scope=Scope(user_id="ann"),
        text=text or f"Memory {number}.",
        created_at=REFERENCE,
        updated_at=REFERENCE,
        recorded_at=REFERENCE,
    )


def taken(*facts, of=None, near=(), **options):
    return read({"f": list(facts)}, of or part(ANN), near=near, reference=REFERENCE, **options)


def only(*facts, **options):
    (proposal,) = taken(*facts, **options).proposals
    return proposal


# --- facts ---


def test_a_fact_that_its_turn_says_is_proposed():
    """With who said it and when, as the turn has it."""
    draft = only(fact(), of=part(ANN, first=4)).draft
    assert (draft.text, draft.kind, draft.type, draft.confidence) == ("Ann likes tea.", "fact", "preference", 0.9)
    assert (draft.speaker, draft.role, draft.created_at) == ("Ann", "user", REFERENCE)
    assert (draft.position, draft.positions) == (4, ())


def test_a_turn_with_its_own_time_was_said_then():
    """Dates count from it."""
    at = REFERENCE - timedelta(days=365)
    said = Message(role="user", name="Ann", content="I moved to Berlin yesterday.", at=at)
    draft = only(fact("Ann moved to Berlin on 2025-03-10."), of=part(said)).draft
    assert draft.created_at == at


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ("Ann likes tea.", "not a fact"),
        (None, "not a fact"),
        (fact(""), "blank"),
        (fact("   "), "blank"),
        (fact(7), "blank"),
        (fact("Ann likes tea. " * 40), "too long"),
        (fact(turns=()), "no source turn"),
        (fact(turns=(2,)), "no source turn"),
        (fact(turns=(0, -1)), "no source turn"),
        (fact(turns=("1", True, 1.0, None)), "no source turn"),
        (fact(s="1"), "no source turn"),
        (fact(k="opinion"), "unknown type"),
        (fact(k=None), "unknown type"),
        (fact(k=["preference"]), "unknown type"),
        (fact("Ann likes coffee from Peru."), "not in the text"),
        (fact("Bob likes tea."), "not in the text"),
        (fact("Ann moved to Berlin on 2026-03-01."), "not in the text"),
    ],
)
def test_what_is_no_fact_of_its_turns_is_dropped(item, reason):
    """And counted by the reason; what else the answer holds is taken."""
    found = taken(item, fact())
    assert [proposal.draft.text for proposal in found.proposals] == ["Ann likes tea."]
    assert found.dropped == {reason: 1}


def test_a_turn_that_a_system_said_is_no_source():
    """Instructions to a model are not something that anybody said."""
    found = taken(fact(turns=(1, 2)), of=part(ANN, Message(role="system", content="Ann likes tea.")))
    assert found.proposals == ()
    assert found.dropped == {"system turn": 1}


def test_context_is_no_source():
    """It has no number; that a fact is in it does not help."""
    of = Part(messages=((1, Message(role="user", content="Right.")),), context=(ANN,))
    assert taken(fact(), of=of).dropped == {"not in the text": 1}


SHE = Message(role="user", name="Ann", content="She lives in Bonn now and works for Acme.")
EVE = Message(role="user", name="Ann", content="My sister Eve called 3 times from Rome, mail eve@acme.org.")


def beside(*context, said=SHE):
    """A part with one turn, and what was said before it."""
    return Part(messages=((0, said),), context=context)


@pytest.mark.parametrize("shown", ["an earlier turn", "a memory nearby"])
def test_who_is_meant_may_be_named_by_what_was_shown_besides(shown):
    """The turn says `she`; what it says of her it says itself."""
    context, near = ((EVE,), ()) if shown == "an earlier turn" else ((), [memory(1, EVE.content)])
    proposal = only(fact("Eve, Ann's sister, lives in Bonn and works for Acme."), of=beside(*context), near=near)
    assert proposal.draft.positions == ()
    assert proposal.borrowed == ("Eve",)


@pytest.mark.parametrize(
    "text",
    [
        "Mia lives in Bonn and works for Acme.",  # a name that was shown nowhere
        "Eve lives in Bonn for 3 years.",  # a number
        "Eve called 3 times.",
        "Eve works for Acme since 2026-03-01.",
        "Eve's address at work is eve@acme.org.",
        "Eve called from Rome.",  # nothing that the turn says
    ],
)
def test_nothing_but_a_name_is_taken_from_what_was_shown_besides(text):
    """Nor is a fact of which the turn says nothing."""
    assert taken(fact(text), of=beside(EVE)).dropped == {"not in the text": 1}


@pytest.mark.parametrize(
    ("said", "text", "is_taken"),
    [
        ("I like tea.", "Eve likes tea.", False),
        ("I like tea, and so does she.", "Eve likes tea.", True),
        ("My sister likes tea.", "Ann's sister Eve likes tea.", True),
        ("Yes, I like to visit.", "Ann likes to visit Rome.", True),
        ("Ich mag den Tee von ihr.", "Ann mag den Tee von Eve.", True),
    ],
)
def test_whoever_speaks_of_nobody_else_means_nobody_else(said, text, is_taken):
    """What somebody says of themselves is not said of whom they named before."""
    found = taken(fact(text), of=beside(EVE, said=Message(role="user", name="Ann", content=said)))
    assert bool(found.proposals) == is_taken


def test_a_fact_whose_names_are_shown_still_cites_a_turn():
    """What was only shown besides is no source."""
    assert taken(fact("Eve lives in Bonn.", turns=()), of=beside(EVE)).dropped == {"no source turn": 1}
    assert only(fact("Ann likes tea.")).borrowed == ()


def test_a_fact_is_proposed_once():
    """However it is spelled."""
    found = taken(fact(), fact("ann  likes TEA."))
    assert len(found.proposals) == 1
    assert found.dropped == {"duplicate": 1}


@pytest.mark.parametrize("answer", [{}, {"f": None}, {"f": {}}, {"f": "Ann likes tea."}, {"facts": [fact()]}, [], None])
def test_an_answer_of_another_form_holds_nothing(answer):
    """No error: the episode is stored, whatever the model says."""
    found = read(answer, part(ANN), near=(), reference=REFERENCE)
    assert (found.proposals, found.dropped) == ((), {})


def test_secrets_are_redacted():
    """As in any text that is stored; here it was read in an image."""
    seen = Message(role="user", name="Ann", content="My new key. [image]", attachments=(DRAWN,))
    told = fact(f"Ann's key is {CANARY}.", e=[[CANARY, "key"]], r=[["Ann", "has", CANARY]])
    draft = only(told, of=part(seen), shown=[DRAWN]).draft
    assert CANARY not in repr(draft)
    assert draft.text.startswith("Ann's key is ")


def test_the_longest_fact_is_a_sentence():
    """One character more is too long."""
    text = "Ann likes tea, " + "and tea, " * 100
    said = part(Message(role="user", name="Ann", content=text))
    longest = text[:MAX_FACT_CHARACTERS].strip().ljust(MAX_FACT_CHARACTERS, ".")
    assert only(fact(longest), of=said).draft.text == longest
    assert taken(fact(longest + "."), of=said).dropped == {"too long": 1}


# --- who said it ---

ASKED = Message(role="assistant", content="You should use Postgres for the joins.")
AGREED = Message(role="user", name="Ann", content="Agreed, let's do that.")
BOB = Message(role="user", name="Bob", content="Ann moved to Berlin? Berlin is great, I like tea there.")
RAVI = Message(role="assistant", name="Ravi", content="I live in Oslo.")
TOOL = Message(role="tool", content="The build took 340 seconds.")


@pytest.mark.parametrize(
    ("messages", "text", "turns", "speaker", "confidence"),
    [
        ([ANN], "Ann likes tea.", [1], "Ann", 0.9),
        ([ASKED], "Postgres is used for the joins.", [1], "assistant", UNCONFIRMED),
        ([ASKED, AGREED], "Postgres is used for the joins.", [1, 2], "Ann", 0.9),
        ([AGREED, ASKED], "Postgres is used for the joins.", [1, 2], "assistant", UNCONFIRMED),
        ([ANN, ASKED], "Ann likes tea.", [1, 2], "Ann", 0.9),
        ([TOOL], "The build took 340 seconds.", [1], "tool", UNCONFIRMED),
        ([ANN, BOB], "Ann moved to Berlin.", [1, 2], "Ann", 0.9),
        ([ANN, BOB], "Bob likes tea.", [1, 2], "Bob", 0.9),
        ([Message(role="user", name="Ann", content="Do you like jazz, Bob?"), BOB], "Bob likes jazz and tea.", [1, 2], "Bob", 0.9),
        ([Message(role="user", content="I like tea.")], "The user likes tea.", [1], "user", 0.9),
        ([RAVI, AGREED], "Ravi lives in Oslo.", [1, 2], "Ravi", 0.9),
        ([RAVI], "Ravi lives in Oslo.", [1], "Ravi", UNCONFIRMED),
    ],
)  # fmt: skip
def test_who_says_a_fact_is_read_off_its_turns(messages, text, turns, speaker, confidence):
    """Never said by the model; a machine's word is a guess until a person confirms it."""
    draft = only(fact(text, turns), of=part(*messages)).draft
    assert (draft.speaker, draft.confidence) == (speaker, confidence)
    assert draft.role == next(m.role for m in messages if speaker in (m.name, m.role))


def test_a_fact_keeps_all_its_turns():
    """In order; those that do not exist are counted, and left out."""
    found = taken(fact("Postgres is used for the joins.", [2, 1, 7, 2]), of=part(ASKED, AGREED, first=3))
    (proposal,) = found.proposals
    assert (proposal.draft.position, proposal.draft.positions) == (3, (3, 4))
    assert found.dropped == {"invented id": 1}


def test_what_was_read_in_an_image_is_a_guess():
    """Nobody said it; of an image that was not shown, or of another turn, it is nothing."""
    seen = Message(role="user", name="Ann", content="Look at my receipt. [image]", attachments=(DRAWN,))
    assert only(fact("Ann paid 42 euros to Luigi."), of=part(seen), shown=[DRAWN]).draft.confidence == UNCONFIRMED
    assert only(fact("Ann has a receipt."), of=part(seen), shown=[DRAWN]).draft.confidence == 0.9
    assert taken(fact("Ann paid 42 euros to Luigi."), of=part(seen)).dropped == {"not in the text": 1}
    assert taken(fact("Ann paid 42 euros."), of=part(ANN, seen), shown=[DRAWN]).dropped == {"not in the text": 1}


@pytest.mark.parametrize("value", [None, "high", True, -0.1, 1.1, 80, float("nan"), [0.5]])
def test_a_confidence_outside_its_range_is_none(value):
    """And a machine's guess stays one."""
    found = taken(fact(c=value))
    assert found.proposals[0].draft.confidence is None
    assert found.dropped == {"bad confidence": 1}
    assert only(fact("Postgres is used for the joins.", c=value), of=part(ASKED)).draft.confidence == UNCONFIRMED


@pytest.mark.parametrize(
    "text",
    [
        "She lives in Bonn now.",
        "They live in Bonn.",
        "It works for Acme now.",
        "She\u2019s in Bonn now.",
        "That is Bonn now.",
        "this is Acme",
        "I live in Bonn.",
        "I\u2019m in Bonn now.",
        "I've lived in Bonn.",
        "We use main.",
        "we're in Bonn",
        "My sister lives in Bonn.",
        "Our project uses main.",
        "Me and Eve live in Bonn.",
    ],
)
def test_a_fact_whose_subject_is_a_pronoun_is_dropped(text):
    """Found alone, it says nothing of anybody."""
    assert taken(fact(text), of=beside(EVE)).dropped == {"does not stand alone": 1}


@pytest.mark.parametrize(
    "text",
    [
        "It is forbidden to push to main.",
        "This project uses main.",
        "IT uses main for its project.",
        "Theo uses main.",
        "I/O is slow on main.",
        "World War I is a topic of Theo.",
        "I genitori di Theo vivono a Roma.",
        "I test di Theo sono su main.",
        "My Fair Lady is a favourite of Theo.",
        "Our Lady is a topic of Theo.",
        "I september flyttade Theo till main.",
    ],
)
def test_a_fact_that_names_its_subject_is_taken(text):
    said = (
        "It's forbidden to push to main, says IT; Theo and this project use main, where I/O is slow. Topics: World War I, My Fair Lady, Our Lady. "
        "I september flyttade Theo till main. A favourite: I genitori e i test di Theo sono su main e vivono a Roma."
    )
    assert only(fact(text), of=part(Message(role="user", name="Ann", content=said))).draft.text == text


def test_days_that_a_fact_names_count_from_when_it_was_said():
    """As those of a statement do."""
    said = Message(role="user", name="Ann", content="I meet Tom next Friday.", at=REFERENCE - timedelta(days=7))
    (day,) = only(fact("Ann meets Tom next Friday."), of=part(said)).draft.metadata["dates"]
    assert (day["text"], day["from"], day["to"]) == ("next Friday", "2026-03-06", "2026-03-07")


@pytest.mark.parametrize("context", [(), (EVE,)], ids=["of the speaker", "of whom an earlier turn names"])
def test_a_fact_that_turns_its_turn_round_is_dropped(context):
    """With a reason of its own; what says the same as the turn is taken."""
    who, said = (
        ("Eve", "She does not live in Bonn any more.") if context else ("Ann", "I do not live in Bonn any more.")
    )
    of = beside(*context, said=Message(role="user", name="Ann", content=said))
    found = taken(fact(f"{who} lives in Bonn."), fact(f"{who} no longer lives in Bonn."), of=of)
    assert [proposal.draft.text for proposal in found.proposals] == [f"{who} no longer lives in Bonn."]
    assert found.dropped == {"denied in the text": 1}


def test_what_a_machine_denies_it_does_not_say():
    """Its word is a guess, but not of the opposite."""
    of = part(Message(role="assistant", content="The queue does not use Redis."))
    assert taken(fact("The queue uses Redis."), of=of).dropped == {"denied in the text": 1}


@pytest.mark.parametrize(
    ("said", "right", "wrong"),
    [
        ("I told Eve that Bob moved to Rome.", "Bob moved to Rome.", "Ann moved to Rome."),
        ("Sorry Eve, I like nuts.", "Ann likes nuts.", "Eve likes nuts."),
        ("My sister Eve lives in Porto.", "Ann's sister Eve lives in Porto.", "Ann lives in Porto."),
    ],
)
@pytest.mark.parametrize("role", ["user", "assistant"])
def test_a_fact_that_credits_another_is_dropped(role, said, right, wrong):
    """With a reason of its own, whoever says it; what names the right one is taken."""
    found = taken(fact(right), fact(wrong), of=part(Message(role=role, name="Ann", content=said)))
    assert [proposal.draft.text for proposal in found.proposals] == [right]
    assert found.dropped == {"said of another": 1}


def test_a_fact_that_may_credit_another_is_a_guess():
    """Of what we do, each of us may be meant."""
    of = part(Message(role="user", name="Ann", content="Bob, we use Redis."))
    assert only(fact("Bob uses Redis."), of=of).draft.confidence == UNCONFIRMED
    assert only(fact("Ann uses Redis."), of=of).draft.confidence == 0.9


@pytest.mark.parametrize("value", [1.0, None])
def test_what_somebody_only_supposes_is_a_guess(value):
    """However sure the model is of it."""
    of = part(Message(role="user", name="Ann", content="Maybe we will move to Oslo."))
    assert only(fact("Ann will move to Oslo.", c=value), of=of).draft.confidence == UNCONFIRMED
    assert only(fact("Ann may move to Oslo.", c=0.9), of=of).draft.confidence == 0.9


# --- when it holds ---

STAY = Message(role="user", name="Ann", content="I live in Berlin since 2024. I stay until May 2026, from yesterday.")


def day(year, month, of_month):
    return datetime(year, month, of_month, tzinfo=UTC)


@pytest.mark.parametrize(
    ("begins", "ends", "valid"),
    [
        ("2024", "2026-05", (day(2024, 1, 1), day(2026, 5, 1))),
        ("2024-01-01", None, (day(2024, 1, 1), None)),
        ("2026-03-10", "2026-06-01", (day(2026, 3, 10), day(2026, 6, 1))),
        ("2026-03-10T00:00:00Z", "", (day(2026, 3, 10), None)),
        (None, "2026-03-11", (None, day(2026, 3, 11))),
    ],
)
def test_a_fact_holds_from_when_until_when_its_turns_say(begins, ends, valid):
    """A year or month begins on its first day; what ends with a month ends when the next begins."""
    found = taken(fact("Ann lives in Berlin.", **{"from": begins, "to": ends}), of=part(STAY))
    draft = found.proposals[0].draft
    assert (draft.valid_from, draft.valid_to) == valid
    assert found.dropped == {}


@pytest.mark.parametrize(
    "value", ["soon", "2023-01-01", "2026-02-30", "1024", "9999-12-31", 2024, 1_700_000_000, ["2024"], {}, "2024-13"]
)
def test_a_time_that_is_none_or_that_nobody_said_is_left_out(value):
    """The fact stays."""
    for name in ("from", "to"):
        found = taken(fact("Ann lives in Berlin.", **{name: value}), of=part(STAY))
        draft = found.proposals[0].draft
        assert (draft.valid_from, draft.valid_to) == (None, None)
        assert found.dropped == {"bad date": 1}


@pytest.mark.parametrize("ends", ["2024-01-01", "2024"])
def test_what_ends_before_it_begins_ends_never(ends):
    """Half-open: an end on the first day is before it."""
    found = taken(fact("Ann lives in Berlin.", **{"from": "2024-01-01", "to": ends}), of=part(STAY))
    assert found.proposals[0].draft.valid_to is None
    assert found.dropped == {"bad date": 1}


# --- what it is about ---


def test_entities_of_a_fact_are_in_its_text():
    """With the model's word for their kind; what the rules find joins them."""
    said = Message(role="user", name="Ann", content="I moved to Berlin, and use `poetry.lock` there.")
    item = fact(
        "Ann moved to Berlin and uses `poetry.lock`.",
        e=[["Ann", "Person"], ["berlin", "place"], ["Bob", "person"], ["in", 3], "Ann", []],
    )
    found = taken(item, of=part(said))
    entities = found.proposals[0].draft.entity_refs
    assert entities[:2] == (
        EntityRef(name="Ann", kind="person", key="ann"),
        EntityRef(name="berlin", kind="place", key="berlin"),
    )
    assert [entity.key for entity in entities[2:]] == ["poetry.lock"]
    assert found.dropped == {"entity not in the text": 4}


@pytest.mark.parametrize("kind", ["", "x" * 40, "<b>", "a b c", 3, "drop table; --"])
def test_a_kind_is_a_word_or_two(kind):
    """Anything else is of no kind."""
    entities = only(fact(e=[["Ann", kind]])).draft.entity_refs
    assert entities[0] == EntityRef(name="Ann", kind="entity", key="ann")


def test_a_name_is_in_a_text_as_a_whole():
    """Part of a word is not; in scripts without spaces it is."""
    assert taken(fact(e=[["te", "drink"]])).dropped == {"entity not in the text": 1}
    said = Message(role="user", content="我昨天搬到了上海。")
    assert only(fact("用户搬到上海。", e=[["上海", "place"]]), of=part(said)).draft.entity_refs[0].name == "上海"


def test_relations_join_two_things_of_the_text():
    """Under one word for one thing; others are left out."""
    relations = [
        ["Ann", "Lives in", "Berlin"],
        ["ann", "lives in", "berlin"],
        ["Ann", "knows", "Bob"],
        ["Ann", "is", "Ann"],
        ["Ann", "", "Berlin"],
        ["Ann", "Berlin"],
        ["Ann", "x" * 200, "Berlin"],
        "Ann lives in Berlin",
        [1, 2, 3],
    ]
    found = taken(fact("Ann moved to Berlin.", r=relations))
    assert found.proposals[0].draft.relations == (Relation(source="Ann", relationship="lives_in", target="Berlin"),)
    assert found.dropped == {"relation not in the text": 7}


def test_categories_are_of_the_list():
    """In its spelling."""
    found = taken(fact(g=["FOOD", "food", "travel", 3]), categories=["Food", "Work"])
    assert found.proposals[0].draft.categories == ("Food",)
    assert found.dropped == {"unknown category": 2}


def test_other_memories_are_named_by_the_numbers_that_were_shown():
    """And each stands to the fact in one way."""
    near = [memory(number) for number in range(1, 5)]
    found = taken(fact(same="m1", refines="m2", contradicts=["m1", "m3", "m3", "m4"]), near=near)
    (proposal,) = found.proposals
    assert (proposal.same_as, proposal.refines, proposal.contradicts) == ("id-1", "id-2", ("id-3", "id-4"))
    assert found.dropped == {}


@pytest.mark.parametrize("number", ["m3", "m0", "id-1", "1", "M1", 1, ["m1"], {"m1": 1}])
def test_a_number_that_was_not_shown_names_nothing(number):
    """Nor does an id; the fact stays."""
    found = taken(fact(same=number, contradicts=[number]), near=[memory(1), memory(2)])
    (proposal,) = found.proposals
    assert (proposal.same_as, proposal.refines, proposal.contradicts) == (None, None, ())
    assert found.dropped == {"invented id": 2}


def test_only_memories_that_were_shown_have_numbers():
    """The nearest."""
    near = [memory(number) for number in range(1, MAX_NEAR + 2)]
    assert only(fact(same=f"m{MAX_NEAR}"), near=near).same_as == f"id-{MAX_NEAR}"
    assert only(fact(same=f"m{MAX_NEAR + 1}"), near=near).same_as is None


# --- laws ---


@given(JSON | st.fixed_dictionaries({"f": st.lists(FACT | JSON, max_size=4) | JSON}))
def test_no_answer_is_an_error(answer):
    """And whatever comes of it is allowed: a source, a type, a support, times in order, a list's categories."""
    of = part(ANN, Message(role="assistant", content="I like tea."), Message(role="system", content="Tea."))
    found = read(answer, of, near=[memory(1), memory(2)], reference=REFERENCE, categories=["food"])
    for proposal in found.proposals:
        draft = proposal.draft
        assert draft.kind == "fact"
        assert draft.type in FACT_TYPES
        assert {draft.position, *draft.positions} <= {0, 1}
        assert draft.speaker in ("Ann", "assistant")
        assert draft.speaker == "Ann" or (draft.confidence or 0) <= UNCONFIRMED
        assert draft.confidence is None or 0 <= draft.confidence <= 1
        assert "coffee" not in draft.text
        assert not (draft.valid_from and draft.valid_to) or draft.valid_from < draft.valid_to
        assert set(draft.categories) <= {"food"}
        assert {proposal.same_as, proposal.refines, *proposal.contradicts} <= {None, "id-1", "id-2"}
    assert all(times > 0 for times in found.dropped.values())


@pytest.mark.parametrize("near", [False, True])
@pytest.mark.parametrize("categories", [False, True])
def test_the_schema_asks_for_what_can_be_answered(near, categories):
    """Plain JSON; other memories and categories only where there are some."""
    fields = schema(near=near, categories=categories)["properties"]["f"]["items"]["properties"]
    assert json.loads(json.dumps(fields)) == fields
    assert ("same" in fields, "refines" in fields, "contradicts" in fields) == (near, near, near)
    assert ("g" in fields) == categories
    assert fields["k"]["enum"] == list(FACT_TYPES)
