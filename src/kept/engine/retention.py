"""Retention: how long memories of a kind are kept, by rules of the project; the worker enforces them, and the log shows it.

A rule names a category, a tag, a connector or a memory type (or nothing: then all), and days, or for ever. Of the rules that name
a memory the longest counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, get_args

from kept.domain.filters import And, Filter, Not, Or, parse_filter
from kept.domain.memory import Kind
from kept.domain.scope import Scope
from kept.engine.access import ProjectAccess
from kept.engine.maintain import By
from kept.engine.platform import Platform
from kept.engine.service import MAX_RETENTION_DAYS
from kept.errors import InvalidInputError, NotFoundError
from kept.ports import Entry

RULE: Final = "retention_rule"
MATCHES: Final = ("category", "tag", "connector", "memory_type")
ACTOR: Final = "retention"
MAX_RULES: Final = 200
"""Each is a filter that names all longer ones, enforced every hour."""
MAX_VALUE: Final = 200
"""Characters of what a rule names; the longest categories have 100."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule.

    Attributes:
        match: What it names, by one of `MATCHES`; empty names everything.
        days: How long it keeps, from the day it was said; None keeps for ever.
    """

    id: str
    match: Mapping[str, str]
    days: int | None
    created_at: datetime

    @property
    def condition(self) -> Filter:
        """What it names, as a filter."""
        written: list[Mapping[str, Any]] = []
        for name, value in self.match.items():
            if name == "category":
                written.append({"categories": {"in": [value]}})
            elif name == "tag":
                written.append({"OR": [{"metadata.tag": value}, {"metadata.tags": {"contains": value}}]})
            else:
                written.append({{"connector": "connector", "memory_type": "kind"}[name]: value})
        return And(tuple(parse_filter(part) for part in written))

    def outlasts(self, other: Rule) -> bool:
        """Whether it keeps longer than another."""
        return other.days is not None and (self.days is None or self.days > other.days)


class Retention:
    """The rules of a project; its owner's matter."""

    def __init__(self, access: ProjectAccess) -> None:
        self._access = access
        self._registry = access.platform.registry

    def rules(self) -> list[Rule]:
        """All rules, oldest first."""
        with self._access.noted("retention.list", "OWNER"):
            return rules_of(self._access.platform, self._access.project)

    def put(self, match: Mapping[str, object], days: object) -> Rule:
        """Keep a rule; one that names the same is replaced.

        Raises:
            InvalidInputError: Something that cannot be named, or days out of range.
        """
        with self._access.noted("retention.put", "OWNER"):
            named, kept = _match(match), _days(days)
            known = rules_of(self._access.platform, self._access.project)
            same = next((rule for rule in known if rule.match == named), None)
            if same is None and len(known) >= MAX_RULES:
                raise InvalidInputError(f"A project has at most {MAX_RULES} rules.")
            rule_id = same.id if same else f"rule_{self._access.platform.ids().replace('-', '')[:16]}"
            data = {"match": named, "days": kept}
            entry = self._access.platform.entry(RULE, rule_id, self._access.project, data)
            self._registry.put(entry)
            return _to_rule(self._registry.find(RULE, rule_id) or entry)

    def remove(self, rule_id: str) -> None:
        """Forget a rule. What it expired stays expired; `undo` brings it back.

        Raises:
            NotFoundError: There is none.
        """
        with self._access.noted("retention.remove", "OWNER", rule_id=rule_id):
            entry = self._registry.find(RULE, rule_id)
            if entry is None or entry.owner != self._access.project:
                raise NotFoundError("There is no such retention rule.")
            self._registry.remove(RULE, rule_id)

    def preview(self) -> dict[str, int]:
        """How many memories each rule would expire now, by its id."""
        with self._access.noted("retention.preview", "OWNER"):
            platform, project = self._access.platform, self._access.project
            rules = rules_of(platform, project)
            counted = {}
            for rule in rules:
                if rule.days is not None:
                    aged = And((_reach(rule, rules), _older_than(rule.days, platform.clock())))
                    counted[rule.id] = platform.service.list(Scope.everything(project), filters=aged, limit=0)[1]
            return counted

    def enforce(self) -> int:
        """Expire now what the rules say; how many memories."""
        with self._access.noted("retention.enforce", "OWNER") as note:
            note.count = enforce_project(self._access.platform, self._access.project)
            return note.count


def enforce(platform: Platform) -> int:
    """Expire what the rules of every project say; how many memories. The worker calls it."""
    projects = dict.fromkeys(entry.owner for entry in platform.registry.entries(RULE))
    return sum(enforce_project(platform, project) for project in projects)


def enforce_project(platform: Platform, project: str) -> int:
    """Expire what a project's rules say; each rule is one operation of the log."""
    rules = rules_of(platform, project)
    expired = 0
    for rule in rules:
        if rule.days is not None:
            done = platform.service.retain(
                Scope.everything(project),
                rule.days,
                filters=_reach(rule, rules),
                by=By(actor=ACTOR, connector="worker"),
            )
            expired += len(done.memories)
    return expired


def rules_of(platform: Platform, project: str) -> list[Rule]:
    """A project's rules, oldest first."""
    return [_to_rule(entry) for entry in platform.registry.entries(RULE, project)]


def _reach(rule: Rule, rules: Sequence[Rule]) -> Filter:
    """What a rule names and no longer one does."""
    longer = tuple(other.condition for other in rules if other.outlasts(rule))
    return And((rule.condition, Not(Or(longer)))) if longer else rule.condition


def _older_than(days: int, now: datetime) -> Filter:
    return parse_filter({"created_at": {"lt": (now - timedelta(days=days)).isoformat()}})


def _match(raw: Mapping[str, object]) -> dict[str, str]:
    unknown = set(raw) - set(MATCHES)
    if unknown:
        raise InvalidInputError(
            f"A rule can name {', '.join(MATCHES)}, not {', '.join(sorted(map(str, unknown)))[:80]}."
        )
    named = {}
    for name in MATCHES:
        value = raw.get(name)
        if value is None:
            continue
        if not isinstance(value, str) or not value.strip() or len(value) > MAX_VALUE:
            raise InvalidInputError(f"{name} must be a text of 1 to {MAX_VALUE} characters.")
        named[name] = value.strip()
    if "memory_type" in named and named["memory_type"] not in get_args(Kind):
        raise InvalidInputError(f"memory_type is {named['memory_type'][:40]!r}; there are {', '.join(get_args(Kind))}.")
    return named


def _days(days: object) -> int | None:
    if days is None or days == "forever":
        return None
    if isinstance(days, bool) or not isinstance(days, int) or not 1 <= days <= MAX_RETENTION_DAYS:
        raise InvalidInputError(f"days is {str(days)[:40]!r}; it must be a whole number from 1, or 'forever'.")
    return days


def _to_rule(entry: Entry) -> Rule:
    return Rule(id=entry.id, match=entry.data["match"], days=entry.data["days"], created_at=entry.created_at)
