"""Random lives of a log, held against the laws of the log and against the log in memory, step by step.

The laws: folding the log gives the current state; applying a revision twice is applying it once; folding up to `seq`
gives the state that was current at `seq`, but for what was erased since; no read shows what lies outside its scope;
erased text is in no read.

Use::

    def test_random_lives(tmp_path):
        numbers = itertools.count()
        run_state_machine_as_test(log_machine(lambda: MyLog(tmp_path / str(next(numbers)))))
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from kept.adapters.inmemory import InMemoryLog
from kept.domain.history import apply, fold
from kept.domain.memory import MemoryRecord, Message, State
from kept.errors import ConflictError
from kept.ports import Listing
from kept.testing.fakes import START, FixedClock, Scribe
from kept.testing.log_conformance import ALL_STATES, READ_SCOPES, SCOPES, observe, undone

if TYPE_CHECKING:
    from collections.abc import Callable

    from kept.domain.scope import Scope
    from kept.ports import Log

WORDS: Final = ("tea", "Straße", "🍏", "it's", 'don"t', "%", "a\nb", "née")
STATES: Final[tuple[State, ...]] = ("active", "superseded", "invalidated", "deleted")


class LogMachine(RuleBasedStateMachine):
    """Lives of a log. Make one with `log_machine`."""

    open_log: Callable[[], Log]

    def __init__(self) -> None:
        super().__init__()
        self.log = type(self).open_log()
        self.reference: Log = InMemoryLog()
        second = timedelta(seconds=1)
        self.scribes = [Scribe(log, clock=FixedClock(tick=second)) for log in (self.log, self.reference)]
        self.ids: list[tuple[str, str]] = []
        """Project and id of every memory, erased ones included."""
        self.episodes: list[str] = []
        self.marks: dict[str, list[str]] = {}
        """Words that stand in one memory and its source only."""
        self.erased: set[str] = set()
        self.past: dict[int, dict[str, MemoryRecord]] = {}
        """What was current at each head."""

    @rule(
        scope=st.sampled_from(SCOPES),
        word=st.sampled_from(WORDS),
        told=st.booleans(),
        days=st.integers(-400, 400),
        expires=st.none() | st.integers(0, 20),
        key=st.none() | st.sampled_from(["once", "twice"]),
    )
    def add(self, scope: Scope, word: str, told: bool, days: int, expires: int | None, key: str | None) -> None:
        """Store a memory, with or without a source, backdated or not; a used key is a conflict for both logs."""
        text = self._text(word)
        source = Message(role="user", content=text, name=text, source_id=word) if told else None
        fields: dict[str, Any] = {
            "created_at": START + timedelta(days=days),
            "expires_on": None if expires is None else date(2026, 1, 1) + timedelta(days=expires),
            "metadata": {"word": word, "note": text} if days % 2 else {},
            "idempotency_key": key,
        }
        added = [_or_conflict(scribe, text, scope=scope, source=source, **fields) for scribe in self.scribes]
        assert added[0] == added[1]
        if added[0] is not None:
            self._remember(added[0], text)

    @precondition(lambda self: self.ids)
    @rule(which=st.integers(0), word=st.sampled_from(WORDS))
    def update(self, which: int, word: str) -> None:
        """Change a text."""
        memory = self._pick(which)
        if memory is not None:
            text = self._text(word)
            self.marks[memory.id].append(text)
            self._both(lambda scribe: scribe.update(memory, text))

    @precondition(lambda self: self.ids)
    @rule(which=st.integers(0), word=st.sampled_from(WORDS))
    def supersede(self, which: int, word: str) -> None:
        """Replace a memory by a new one."""
        memory = self._pick(which)
        if memory is not None:
            text = self._text(word)
            _, new = self._both(lambda scribe: scribe.supersede(memory, text))
            self._remember(new, text)

    @precondition(lambda self: self.ids)
    @rule(which=st.integers(0), state=st.sampled_from(STATES), undo=st.booleans())
    def set_state(self, which: int, state: State, undo: bool) -> None:
        """Invalidate, supersede, delete or restore; as an undo of the operation that would be undone next, or not."""
        memory = self._pick(which)
        if memory is not None:
            undoable = self.log.last_undoable(memory.project, memory.scope) if undo else None
            undoes = undoable.id if undoable else None
            self._both(lambda scribe: scribe.set_state(memory, state, undoes=undoes))

    @precondition(lambda self: self.ids)
    @rule(which=st.integers(0))
    def reinforce(self, which: int) -> None:
        """Count a repeat."""
        memory = self._pick(which)
        if memory is not None:
            self._both(lambda scribe: scribe.revise(memory, "reinforce", reinforced=memory.reinforced + 1))

    @precondition(lambda self: self.ids)
    @rule(which=st.integers(0), scrub=st.booleans())
    def erase(self, which: int, scrub: bool) -> None:
        """Erase a memory for good."""
        memory = self._pick(which)
        if memory is not None:
            self._both(lambda scribe: scribe.erase(memory))
            self.erased.update(self.marks.pop(memory.id))
        if scrub:
            assert self.log.scrub() is True

    @precondition(lambda self: self.ids)
    @rule(which=st.integers(0), word=st.sampled_from(WORDS))
    def fail(self, which: int, word: str) -> None:
        """Begin a write that changes much, and fail at its end."""
        memory = self._pick(which)
        if memory is None:
            return
        before = observe(self.log, episodes=self.episodes)
        scribe = Scribe(self.log, series=1)
        with undone(self.log) as transaction:
            operation = scribe.operation("erase", memory.project, START)
            transaction.put_operation(operation)
            scribe.put(transaction, operation, word, scope=memory.scope)
            scribe.bury(transaction, operation, memory)
        assert observe(self.log, episodes=self.episodes) == before

    @invariant()
    def agrees_with_the_reference(self) -> None:
        """Every read gives what the log in memory gives, and shows nothing erased."""
        seen = observe(self.log, episodes=self.episodes)
        assert seen == observe(self.reference, episodes=self.episodes)
        shown = repr(seen)
        assert [mark for mark in self.erased if repr(mark)[1:-1] in shown] == []

    @invariant()
    def folds_to_the_current_state(self) -> None:
        """Each memory is the fold of its revisions, and of the same revisions twice over."""
        for project, memory_id in self.ids:
            revisions = list(self.log.revisions(project, memory_id=memory_id))
            memory = self.log.find(project, memory_id)
            assert fold(revisions) == memory
            assert fold([*revisions, *revisions]) == memory
            assert memory is not None
            assert apply(memory, revisions[-1]) == memory

    @invariant()
    def keeps_scopes_apart(self) -> None:
        """A listing shows what its scope admits; an id is found in its own project only."""
        for scope in READ_SCOPES:
            listed = self.log.page(Listing(scope=scope, states=ALL_STATES), limit=1000)
            assert [memory for memory in listed if not scope.admits(memory.scope)] == []
        for project, memory_id in self.ids:
            assert self.log.find("other" if project == "default" else "default", memory_id) is None

    def teardown(self) -> None:
        """The past is as it was; then close."""
        for head, memories in self.past.items():
            for memory in memories.values():
                then = fold(self.log.revisions(memory.project, memory_id=memory.id, upto=head))
                if memory.id in self.marks:
                    assert then == memory
                else:
                    assert then is not None
                    assert then.text == ""
        assert list(self.log.verify()) == []
        self.log.close()
        self.reference.close()

    def _text(self, word: str) -> str:
        return f"<{len(self.ids)}.{self.log.head()}> {word}"

    def _remember(self, memory: MemoryRecord, text: str) -> None:
        self.ids.append((memory.project, memory.id))
        self.marks[memory.id] = [text]
        if memory.episode_id:
            self.episodes.append(memory.episode_id)
        self._note_present()

    def _pick(self, which: int) -> MemoryRecord | None:
        """A memory that was not erased."""
        project, memory_id = self.ids[which % len(self.ids)]
        return self.log.find(project, memory_id) if memory_id in self.marks else None

    def _both(self, act: Callable[[Scribe], Any]) -> Any:
        done, expected = [act(scribe) for scribe in self.scribes]
        assert done == expected
        self._note_present()
        return done

    def _note_present(self) -> None:
        found = [self.log.find(project, memory_id) for project, memory_id in self.ids]
        self.past[self.log.head()] = {memory.id: memory for memory in found if memory and memory.state != "erased"}


def log_machine(open_log: Callable[[], Log]) -> type[LogMachine]:
    """A machine over the logs that `open_log` opens, each empty. Run it with `run_state_machine_as_test`."""
    return type("OpenedLogMachine", (LogMachine,), {"open_log": staticmethod(open_log)})


def _or_conflict(scribe: Scribe, text: str, **fields: Any) -> MemoryRecord | None:
    try:
        return scribe.add(text, **fields)
    except ConflictError:
        return None
