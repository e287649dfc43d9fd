"""Random lives of a Memory on SQLite, held step by step against a dictionary of texts."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule, run_state_machine_as_test

from kept import Memory
from kept.adapters import embedders

USERS = ("u1", "u2")
WORDS = ("tea", "cake", "Berlin", "violin", "日本", "née")
USER = st.sampled_from(USERS)


class Life(RuleBasedStateMachine):
    """What a user did to their memories, and the same done to a model.

    The model: for each user a stack of states, one for each operation that was not taken back. A state is what is
    visible: text by id. Undo goes one state down; an erase takes a memory out of every state.
    """

    known = Bundle("known")
    numbers = itertools.count()

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name) / "kept.db"
        self.memory, self.reader = Memory(path), Memory(path)
        self.past = {user: [{}] for user in USERS}
        self.texts = {}
        self.erased = set()

    def teardown(self):
        assert self.memory.verify() == []
        self.memory.close()
        self.reader.close()
        self.folder.cleanup()

    def now(self, user):
        return self.past[user][-1]

    def became(self, user, **changes):
        """One more operation: these ids now have these texts, None for hidden."""
        state = {**self.now(user), **changes}
        self.past[user].append({memory_id: text for memory_id, text in state.items() if text is not None})

    @rule(target=known, user=USER, words=st.lists(st.sampled_from(WORDS), min_size=1, max_size=3))
    def add(self, user, words):
        """A new memory, never said before."""
        text = f"{' '.join(words)} {next(self.numbers)}"
        (item,) = self.memory.add(text, user_id=user, infer=False, related=0)["results"]
        self.became(user, **{item["id"]: text})
        self.texts[item["id"]] = [text]
        return user, item["id"]

    @rule(user=USER, data=st.data())
    def repeat(self, user, data):
        """Said again: reinforced, not added."""
        if self.now(user):
            memory_id = data.draw(st.sampled_from(list(self.now(user))))
            text = self.now(user)[memory_id]
            (item,) = self.memory.add(text, user_id=user, infer=False, related=0)["results"]
            assert (item["id"], item["event"]) == (memory_id, "REINFORCE")
            self.became(user)

    @rule(known=known, word=st.sampled_from(WORDS))
    def update(self, known, word):
        """A new text."""
        user, memory_id = known
        if memory_id in self.now(user):
            text = f"{word} {next(self.numbers)}"
            self.memory.update(memory_id, text)
            self.became(user, **{memory_id: text})
            self.texts[memory_id].append(text)

    @rule(known=known)
    def delete(self, known):
        """Hidden."""
        user, memory_id = known
        if memory_id in self.now(user):
            self.memory.delete(memory_id)
            self.became(user, **{memory_id: None})

    @rule(user=USER)
    def delete_all(self, user):
        """Everything of a user hidden, in one operation."""
        if self.now(user):
            self.memory.delete_all(user)
            self.became(user, **dict.fromkeys(self.now(user)))

    @rule(known=known)
    def restore(self, known):
        """Brought back as it was before it was deleted."""
        user, memory_id = known
        if memory_id not in self.now(user) and memory_id not in self.erased:
            done = self.memory.restore(memory_id)
            self.became(user, **{memory_id: done["results"][0]["memory"]})
            assert done["results"][0]["memory"] in self.texts[memory_id]

    @rule(known=known, data=st.data())
    def restore_revision(self, known, data):
        """Brought back as it was at any revision at which it was visible."""
        user, memory_id = known
        if memory_id in self.erased:
            return
        row = data.draw(st.sampled_from([row for row in self.memory.history(memory_id) if not row["is_deleted"]]))
        if self.memory.restore(memory_id, row["seq"])["operation_id"]:
            self.became(user, **{memory_id: row["new_memory"]})

    @rule(user=USER)
    def undo(self, user):
        """The last operation taken back."""
        if len(self.past[user]) > 1:
            self.memory.undo(user_id=user)
            self.past[user].pop()

    @rule(known=consumes(known))
    def erase(self, known):
        """Gone from every state; an operation that touched nothing else is no longer there to be undone."""
        user, memory_id = known
        if memory_id in self.erased:
            return
        self.memory.erase(memory_id)
        self.erased.add(memory_id)
        for text in self.texts[memory_id]:
            assert text not in "".join(self.memory.export(user_id="*"))
        # What undo meant before is not what it means now: the model forgets how it came here.
        state = {key: text for key, text in self.now(user).items() if key != memory_id}
        self.past[user] = [state]

    @rule()
    def rebuild(self):
        """Changes nothing, and all is well before and after."""
        assert self.memory.verify() == []
        self.memory.rebuild()
        assert self.memory.verify() == []

    @invariant()
    def lists_agree(self):
        """In both processes' eyes."""
        for user in USERS:
            for each in (self.memory, self.reader):
                listed = {row["id"]: row["memory"] for row in each.get_all(user_id=user)["results"]}
                assert listed == self.now(user)

    @invariant()
    def searches_agree(self):
        """Every visible memory is found, nothing else is, and its own text finds it."""
        for user in USERS:
            found = {row["id"]: row["memory"] for row in self.reader.search("tea", user_id=user, top_k=100)["results"]}
            assert found == self.now(user)
            for memory_id, text in list(self.now(user).items())[-1:]:
                best = self.memory.search(text, user_id=user, top_k=3)["results"]
                assert memory_id in {row["id"] for row in best}


def test_a_memory_does_what_its_calls_say(monkeypatch):
    """Whatever the order of calls."""
    opened = embedders.open_embedder("wordllama")
    monkeypatch.setattr(embedders, "open_embedder", lambda _: opened)
    run_state_machine_as_test(Life, settings=settings(max_examples=25, stateful_step_count=25, deadline=None))
