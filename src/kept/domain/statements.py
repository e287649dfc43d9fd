"""What a message says that is worth remembering, by rule.

A message is split into sentences; small talk is left out; what cannot stand alone joins its neighbour; code and commands stay
whole with the sentence that introduces them. A statement is always a slice of the message, so its source can be shown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from kept.domain.text import STOP_WORDS, sentence_spans

__all__ = ["MAX_STATEMENT", "Statement", "StatementKind", "statements"]

StatementKind = Literal["statement", "code", "command", "question"]

MAX_STATEMENT: Final = 600
"""Characters of a statement of prose: about what one embedding and one chunk can hold."""
_MAX_CODE: Final = 6_000
"""Characters of a code block kept whole: a long function; a pasted file is cut at line ends."""
_MARKS_ONLY: Final = 2
"""Characters up to which a sentence without letters or digits says nothing; a longer one may be a fence or a list item."""
_STANDS_ALONE: Final = 3
"""Content words with which any sentence can stand alone."""
_ASKS_SOMETHING: Final = 2
"""Content words of a question that carries context; `How are you doing?` has fewer."""
_SHORT_SENTENCE: Final = 14
"""Words up to which a sentence that begins with a pronoun leans on the one before."""
_SMALL_TALK: Final = 18
"""Words up to which an announcement (`Let me check …`) is taken for small talk; a longer one says something as well."""
_VOCATIVE: Final = 5
"""Words up to which a greeting may hold a name (`Hey Mel, good morning!`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement of a message.

    Attributes:
        text: `message[start:end]`.
        start: Where it begins in the message.
        end: Where it ends, half-open.
        kind: "code" and "command" include the sentence that introduces them.
    """

    text: str
    start: int
    end: int
    kind: StatementKind


def _words(words: str) -> frozenset[str]:
    return frozenset(words.split())


_FILLERS: Final = _words(
    """
    hi hello hey hiya howdy yo greetings thanks thank thx ty cheers ok okay okey k kk great good nice awesome amazing wow cool sure sounds
    sound perfect fine yes yeah yep yup ya nope nah lol lmao haha hahaha hehe hmm hm mm mhm uh um oh ah aha ooh aw aww awww oops ugh yay
    welcome please pls sorry bye goodbye cya night morning afternoon evening luck congrats congratulations well really much glad happy love
    see hear heard know going goes go gotcha got get let lets let's right makes make sense absolutely definitely certainly indeed exactly totally course
    problem prob worries worry fun interesting fantastic wonderful excellent brilliant incredible terrific superb lovely sweet cute beautiful
    gorgeous agreed true looks look looking forward best guys guy man dude mate buddy pal friend folks everyone there soon later catch talk
    chat care take anything else help helps helping helped helpful question hope hopefully enjoy appreciate appreciated bit lot lots ton
    kind long time ages back again today day weekend week rest doing day's it's that's there's what's how's i'm you're we're they're he's
    she's i'll you'll we'll i've you've we've i'd you'd we'd can't don't doesn't didn't won't isn't wasn't aren't couldn't wouldn't
    haven't hasn't shouldn't impressive inspiring exciting excited proud proceed ahead continue start started ready wait waiting pleasure pleased
    remember wonder together works ship nothing something everything thing things stuff way feel free sec second moment minute want need like think guess mean say said saying tell told
    too also still actually maybe perhaps probably anyway alright quite pretty super alrighty new up down awesome! congrats! great!
    understood noted acknowledged affirmative roger done yw np omg btw fyi idk imo tbh nvm
    hola gracias merci bonjour salut danke hallo ciao grazie ola obrigado obrigada привет спасибо 你好 您好 谢谢 谢谢你 好的 再见 こんにちは
    ありがとう ありがとうございます はい 안녕하세요 감사합니다
    """
)
"""Words of small talk: a sentence of nothing but these and stop words says nothing."""
_EMPTY_WORDS: Final = _FILLERS | STOP_WORDS
_GREETINGS: Final = _words(
    """
    hi hello hey hiya howdy thanks thank thx wow bye goodbye congrats congratulations welcome cheers morning good oh
    aww cool awesome great nice ok okay sure
    """
)
"""Words after which a name is only an address."""
_LEAD: Final = re.compile(
    r"(?:(?:sure(?: thing)?|ok(?:ay)?|alright|great|perfect|awesome|cool|nice|good|wow|oh|ah"
    r"|well|so|yes|yeah|yep|no problem|of course|certainly|absolutely|definitely|thanks?(?: you)?"
    r"|got it|understood|right|hmm|hey|hi|hello|now|first|next|done)\b[\s,.!:;\u2014-]{1,4}){1,4}",
    re.IGNORECASE,
)
_ALWAYS_TALK: Final = (
    r"(?i)(?:please )?(?:let me know (?:if|how|what|when|which|whether|your|once)|feel free to"
    r"|(?:please )?(?:don't|do not) hesitate|is there anything else"
    r"|(?:do|did) you (?:have|need) (?:any(?:thing)? )?(?:other|further|more|else)|anything else (?:you"
    r"|i)|if you (?:have|need) any (?:other|further|more|specific|questions|help)"
    r"|(?:i )?hope (?:this|that|it|these) helps?|(?:i'm |i am )?(?:happy|glad|here) to (?:help"
    r"|assist)|thank(?:s| you)(?: so much| very much| a lot| again)? for (?:your|the|sharing"
    r"|asking|listening|help|reaching|being|letting|all)"
    r"|(?:it's |it is |so )?(?:great|good|nice|lovely|wonderful) to (?:hear|see|meet|know|chat|talk)|glad (?:to hear|you|i could|it)|happy to hear"
    r"|would you like (?:me to|help|more|to know)|(?:do you )?want me to|shall i |should i (?:go ahead|proceed|continue))"
)
_SHORT_TALK: Final = (
    r"(?i)(?:let me (?:just |quickly |first |now |also |go ahead and )?(?:look|check|see|take"
    r"|think|find|dig|read|have|start|begin|run|search|investigate|examine|explore|try|pull|open"
    r"|verify|review|grab|explain|walk|get|do|go|ask)"
    r"|i(?:'ll| will|'m going to| am going to) (?:just |quickly |first |now |go ahead and )?(?:look"
    r"|check|take a (?:look|closer)|get back|let you know|keep you|do that|do it|try (?:that"
    r"|it)|think about it|give it|see what|dig into|investigate|be right)"
    r"|(?:that|this|it)(?:'s| is| was| sounds| looks| seems)(?: like)?(?: so| really| very| just"
    r"| a| an| such a| absolutely| pretty| quite| truly)* (?:great|good|nice|awesome|amazing"
    r"|cool|fine|perfect|wonderful|lovely|fantastic|excellent|interesting|fun|beautiful|incredible"
    r"|inspiring|impressive|sweet|terrific|exciting)(?: (?:idea|question|point|plan|news|job"
    r"|work|start|choice|stuff|to hear|to me))?\W*$"
    r"|(?:great|good|nice|excellent|awesome|fantastic|amazing) (?:question|idea|point|job|work|news|to hear|choice|catch|call|stuff|start)\W*$"
    r"|(?:you're|you are|your) welcome|no (?:problem|worries)|(?:have|enjoy) (?:a|an|your|the) (?:great"
    r"|good|nice|lovely|wonderful|fun)?\s?(?:day|one|evening|night|weekend|time|trip|rest)"
    r"|(?:talk|see|speak|chat|catch) (?:to |up |with )?(?:you|ya|u|soon|later)|take care|good luck"
    r"|keep (?:it up|up the|me posted|going)|(?:i )?can't wait|looking forward|(?:i )?(?:totally "
    r"|completely )?(?:agree|understand|see)(?: with you| completely| that)?\W*$"
    r"|how (?:are|have|is|was|'s)\b.{0,20}(?:you|it going|things|life|everything|your (?:day"
    r"|week|weekend))\b|how's (?:it|everything|life|your)|what's (?:up|new|going on)|what (?:about"
    r"|do you think|have you been up)"
    r"|how about (?:you|that)|working on it|on it\b|here (?:you go|it is|we go)|go for it|you got this"
    r"|way to go|thanks?\b.{0,24}\W*$|i (?:really )?(?:appreciate|love) (?:it|that|this|your)\b.{0,20}$"
    r"|long time no|me (?:too|neither)|same here|fair enough|never mind|sounds (?:good|great"
    r"|like a plan|fun|amazing|perfect|lovely|interesting)|makes sense|got it|will do|let's (?:do it"
    r"|go|get started|see|begin|dive in|get to it))"
)
_LEAD_WORDS: Final = _words(
    """
    sure ok okay alright great perfect awesome cool nice good wow oh ah well so yes yeah yep no of certainly
    absolutely definitely thank thanks got understood right hmm hey hi hello now first next done
    """
)
_TALK_OPENERS: Final = _words(
    "please let feel do don't did is anything if hope i happy i'm glad here thank thanks it's it so great good nice lovely wonderful would want shall should "
    "i'll that that's this you you're your excellent awesome fantastic amazing no have enjoy talk see speak chat catch take keep can't looking totally "
    "completely agree understand how how's what what's working on go way long me same fair never sounds makes got will let's you\u2019re i\u2019m i\u2019ll it\u2019s that\u2019s let\u2019s don\u2019t can\u2019t how\u2019s what\u2019s"
)
"""First words of the two patterns above, so that other sentences need not be matched against them."""
_LONGEST_OPENER: Final = 10
_DEPENDENT: Final = _words(
    """
    because so and but or nor yet which also then therefore thus hence otherwise plus instead e.g e.g. i.e i.e. namely
    especially particularly including such like
    """
)
_PRONOUNS: Final = _words(
    """
    it it's its they they're they'll their them this that that's these those he he's his him she she's her both
    neither either
    """
)
_SUBJECTS: Final = _words("i i'm i've i'd i'll we we're we've we'd we'll my our user users")
_VERBS: Final = _words(
    """
    is are was were has have had uses use used prefers prefer likes runs lives works needs wants means must should
    will can cannot
    """
)
_WORD: Final = re.compile(r"[^\W_]+(?:['\u2019.-][^\W_]+)*")
_ASCII_WORD: Final = re.compile(r"[a-z0-9]+(?:['.-][a-z0-9]+)*")
_UNSPACED: Final = (
    r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f]"  # compiled on first use: large sets take milliseconds
)
_UNSPACED_PER_WORD: Final = 2
"""Characters of unspaced scripts that count as one word."""

_ITEM: Final = re.compile(r"(?:[-*+\u2022\u2023\u25e6\u2013]|\d{1,3}[.)]|[A-Za-z][.)])[ \t]+")
_HEADING: Final = re.compile(r"#{1,6}[ \t]+")
_BOLD_LINE: Final = re.compile(r"\*\*[^*\n]{1,120}\*\*:?")
_BARE_MARK: Final = re.compile(r"\d{1,3}[.)]")
_COMMAND: Final = re.compile(
    r"[$%][ ]\S|(?:sudo )?(?:git|npm|npx|pnpm|yarn|pip3?|uvx?|python3?|node|docker|docker-compose"
    r"|kubectl|make|cargo|go|curl|wget|ssh|scp|cd|ls|cp|mv|rm"
    r"|mkdir|chmod|export|brew|apt|apt-get|terraform|aws|gcloud|psql|sqlite3|pytest|ruff|mypy"
    r"|poetry|conda|systemctl|helm|bash|sh|tar|grep|sed|rsync|gh|dotnet|mvn|gradle"
    r"|flutter|bundle|rails|composer|php|deno|bun|just|nox|tox|pre-commit)[ ]+(?!(?:is|are|was"
    r"|has|sure|to|ahead|with|for|and|or|in|on|the|a|an|it|that|can|will|into|use|uses)\b)[\w./@:~\"'-]"
)
_QUESTION_MARKS: Final = ("?", "\uff1f", "\u061f")
_CLOSING: Final = "\"'\u201d\u2019)]*_"
_CLAUSE_END: Final = re.compile(
    r"[;:,\u2014\u2013\uff0c\u3001\uff1b][\s]?|\s(?=(?:and|but|because|which|so|then|while|whereas)\s)|\n"
)


@dataclass(slots=True, kw_only=True)
class _Unit:
    """A sentence, list item, heading, command or code block, judged by itself."""

    start: int
    end: int
    kind: StatementKind
    content: int  # words beyond stop words and small talk; 0 when there is nothing to keep
    talk: bool  # small talk, to be left out
    leans: bool  # cannot stand without the sentence before
    opens: bool  # introduces what follows
    item: bool  # a list item


@dataclass(slots=True, kw_only=True)
class _Group:
    """Units that will be one statement."""

    start: int
    end: int
    kind: StatementKind
    opens: bool
    unit: int  # position of its last unit


def _content(text: str) -> tuple[list[str], int]:
    """The lower-cased words of a sentence, and how many of them are neither stop words nor small talk."""
    lower = text.lower()
    words = _ASCII_WORD.findall(lower) if text.isascii() else [w.replace("\u2019", "'") for w in _WORD.findall(lower)]
    count = len([word for word in words if word not in _EMPTY_WORDS])
    if count and not text.isascii() and (unspaced := len(re.findall(_UNSPACED, text))):
        count += unspaced // _UNSPACED_PER_WORD
    return words, count


def _is_talk(text: str, words: list[str], content: int) -> bool:
    """Whether a sentence is a greeting, thanks, an acknowledgement or an announcement."""
    if content == 0:
        return True
    lead = _LEAD.match(text) if words[0] in _LEAD_WORDS else None
    body = text[lead.end() :] if lead else text
    if body[: _LONGEST_OPENER + 1].lower().split(" ", 1)[0].rstrip(",.!?\n") in _TALK_OPENERS:
        if re.match(_ALWAYS_TALK, body):
            return True
        if len(words) <= _SMALL_TALK and re.match(_SHORT_TALK, body):
            return not any(map(str.isdigit, body))
    if len(words) <= _VOCATIVE and words[0] in _GREETINGS:
        rest = [word for word in _WORD.findall(text)[1:] if word.lower() not in _EMPTY_WORDS]
        return len(rest) <= 2 and all(map(str.istitle, rest))  # noqa: PLR2004 - first and last name
    return False


def _leans(words: list[str], content: int) -> bool:
    """Whether a sentence needs the one before: it continues it, refers to it, or is a fragment."""
    first = words[0] if words else ""
    if first in _DEPENDENT:
        return True
    if first in _PRONOUNS and len(words) <= _SHORT_SENTENCE:
        return True
    if content >= _STANDS_ALONE or first in _SUBJECTS:
        return False
    return content < _ASKS_SOMETHING or _VERBS.isdisjoint(words)


def _unit(text: str, start: int, end: int) -> _Unit:
    body = text[start:end]
    if len(body) <= _MARKS_ONLY and not any(map(str.isalnum, body)):
        return _Unit(start=start, end=end, kind="statement", content=0, talk=True, leans=True, opens=False, item=False)
    if body.startswith("```"):
        return _Unit(
            start=start, end=end, kind="code", content=_STANDS_ALONE, talk=False, leans=False, opens=False, item=False
        )
    if _COMMAND.match(body) and not body.endswith((".", "!", "?", ":")):
        return _Unit(
            start=start,
            end=end,
            kind="command",
            content=_STANDS_ALONE,
            talk=False,
            leans=False,
            opens=False,
            item=False,
        )
    mark = _ITEM.match(body)
    heading = _HEADING.match(body)
    opening = mark or heading
    words, content = _content(body[opening.end() :] if opening else body)
    ending = body.rstrip(_CLOSING)
    question = ending.endswith(_QUESTION_MARKS)
    opens = heading is not None or _BOLD_LINE.fullmatch(body) is not None or ending.endswith((":", "\uff1a"))
    talk = (
        not words
        or _BARE_MARK.fullmatch(body) is not None
        or (opening is None and not (opens and content) and _is_talk(body, words, content))
    )
    if talk and content < _STANDS_ALONE:
        content = 0
    talk = talk or (question and content < _ASKS_SOMETHING)
    return _Unit(
        start=start,
        end=end,
        kind="question" if question else "statement",
        content=content,
        talk=talk,
        leans=opening is None and not question and not opens and _leans(words, content),
        opens=opens,
        item=mark is not None,
    )


def _joins(text: str, group: _Group, unit: _Unit, position: int, before: _Unit) -> bool:
    """Whether `unit` belongs to the statement in hand rather than beginning its own."""
    size = unit.end - group.start
    adjacent = group.unit == position - 1
    if unit.kind in ("code", "command"):
        return adjacent and unit.end - unit.start <= _MAX_CODE and _takes_code(group, unit)
    if group.kind in ("code", "command") or size > MAX_STATEMENT:
        return False
    if unit.item:
        fragment = unit.content < _STANDS_ALONE and before.item
        return adjacent and (group.opens or fragment)
    if group.opens and adjacent:
        same_line = "\n" not in text[before.end : unit.start]
        return (not unit.opens or not before.item) and (
            same_line if before.item else not (unit.opens and "#" in text[unit.start : unit.start + 1])
        )
    return unit.leans


def _takes_code(group: _Group, unit: _Unit) -> bool:
    """Code joins a short introduction right above it; commands in a row join each other."""
    if group.kind == "command" and unit.kind == "command":
        return unit.end - group.start <= MAX_STATEMENT
    return group.kind in ("statement", "question") and group.end - group.start <= MAX_STATEMENT // 2


def _groups(text: str, units: list[_Unit]) -> list[_Group]:
    groups: list[_Group] = []
    for position, unit in enumerate(units):
        if unit.talk or (unit.leans and not groups and unit.content < _ASKS_SOMETHING):
            continue
        start = unit.start
        if unit.kind in ("code", "command") and position and units[position - 1].talk and units[position - 1].content:
            start = units[position - 1].start  # "Why does this fail?" says little, but belongs to the code below
        if groups and _joins(text, groups[-1], unit, position, units[position - 1]):
            group = groups[-1]
            group.end = unit.end
            group.unit = position
            if unit.kind in ("code", "command"):
                group.kind = unit.kind
                group.opens = False
            elif unit.kind == "statement" and group.kind == "question":
                group.kind = "statement"
            group.opens = group.opens or unit.opens
        else:
            groups.append(_Group(start=start, end=unit.end, kind=unit.kind, opens=unit.opens, unit=position))
    return groups


def _bounded(text: str, group: _Group) -> list[tuple[int, int]]:
    """The span of a group, cut where it is too long: code at line ends, prose at clause ends."""
    limit = _MAX_CODE if group.kind == "code" else MAX_STATEMENT
    spans: list[tuple[int, int]] = []
    start, end = group.start, group.end
    while end - start > limit:
        cut = _cut(text, start, start + limit, code=group.kind == "code")
        spans.append((start, cut))
        start = cut
    spans.append((start, end))
    return spans


def _cut(text: str, start: int, limit: int, *, code: bool) -> int:
    middle = (start + limit) // 2
    if code:
        cut = text.rfind("\n", middle, limit) + 1
    else:
        cut = max((m.end() for m in _CLAUSE_END.finditer(text, middle, limit)), default=0)
    return cut or text.rfind(" ", middle, limit) + 1 or limit


def _lone_item(body: str) -> re.Match[str] | None:
    """The mark of a list item that stands alone; in a list each item keeps its mark."""
    mark = _ITEM.match(body)
    return mark if mark and not any(_ITEM.match(line.lstrip()) for line in body.split("\n")[1:]) else None


def _trimmed(text: str, start: int, end: int, kind: StatementKind) -> Statement | None:
    """The statement of a span without white space and, for prose, without the list or heading mark it begins with."""
    body = text[start:end]
    if kind in ("statement", "question") and (mark := _lone_item(body) or _HEADING.match(body)):
        start += mark.end()
        body = text[start:end]
    start += len(body) - len(body.lstrip())
    body = body.strip()
    return Statement(text=body, start=start, end=start + len(body), kind=kind) if body else None


def statements(text: str) -> list[Statement]:
    """The statements of a message, in order.

    Greetings, thanks, acknowledgements and announcements are left out, unless there is nothing else with content in the
    message. Each statement is a slice of `text`; none overlap; prose is at most 600 characters long.
    """
    units = [_unit(text, start, end) for start, end in sentence_spans(text)]
    groups = _groups(text, units)
    if not groups:
        groups = [
            _Group(start=unit.start, end=unit.end, kind=unit.kind, opens=False, unit=position)
            for position, unit in enumerate(units)
            if unit.content
        ]
    found = (_trimmed(text, start, end, group.kind) for group in groups for start, end in _bounded(text, group))
    return [statement for statement in found if statement]
