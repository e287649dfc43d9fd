"""Secrets taken out of a text before anything is stored, embedded or sent.

A secret becomes `[redacted:KIND]`; its surroundings (the name it was assigned to, the user of a URL) stay readable. What is
redacted can be redacted again without change. Formats are those the issuers publish for secret scanning.

Ordinary prose pays only for a look at each rule's trigger words; every pattern is linear in the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Redaction", "redact", "redact_value"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Redaction:
    """A text without its secrets.

    Attributes:
        text: The text, each secret as `[redacted:KIND]`.
        found: The distinct kinds that were redacted, by rule order; empty when the text is unchanged.
    """

    text: str
    found: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    kind: str
    triggers: tuple[str, ...]  # every text with a match holds one of them
    apply: Callable[[str], str]
    any_case: bool = True  # whether the triggers are sought in the lower-cased text


def _mark(kind: str) -> str:
    return f"[redacted:{kind}]"


# --- blocks ---

_PRIVATE_TAG: Final = re.compile(
    r"<\s*+(?P<end>/?)\s*+private(?![\w.:-])[^<>]*+>"
    r"|&lt;\s*+(?P<escaped_end>/?)\s*+private(?![\w.:-])(?:(?!&[lg]t;)[^<>])*+&gt;",
    re.IGNORECASE,
)
"""Possessive, so that no run of spaces is gone through twice."""
_KEY_BEGIN: Final = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_KEY_END: Final = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_KEY_BODY: Final = re.compile(r"[A-Za-z0-9+/]{32}")
_KEY_HEADERS: Final = 400
"""Characters in which the encoded body of a key must begin: PEM and PGP headers are shorter."""


def _redact_private(text: str) -> str:
    """Hide `<private>…</private>`, nested or not; an unclosed one hides the rest, a stray closing tag nothing."""
    parts: list[str] = []
    shown = depth = 0
    for tag in _PRIVATE_TAG.finditer(text):
        if not (tag["end"] or tag["escaped_end"]):
            if depth == 0:
                parts += (text[shown : tag.start()], _mark("private"))
            depth += 1
        elif depth:
            depth -= 1
            shown = tag.end()
    if depth == 0:
        parts.append(text[shown:])
    return "".join(parts)


def _redact_keys(text: str) -> str:
    """Hide private key blocks; one without an end hides the rest if a key's body follows, and is only talk if not."""
    parts: list[str] = []
    shown = 0
    ends = [end.end() for end in _KEY_END.finditer(text)]
    ends.reverse()
    for begin in _KEY_BEGIN.finditer(text):
        if begin.start() < shown:
            continue
        while ends and ends[-1] < begin.end():
            ends.pop()
        if not ends and not _KEY_BODY.search(text, begin.end(), begin.end() + _KEY_HEADERS):
            continue
        parts += (text[shown : begin.start()], _mark("private_key"))
        shown = ends[-1] if ends else len(text)
    parts.append(text[shown:])
    return "".join(parts)


# --- tokens recognisable by themselves ---

# Where a token may start. Most may stand behind an underscore (`my_hf_…`); those that read like names start a word; those
# that read like nothing else may start anywhere.
_ESCAPE_BEFORE = r"(?<=\\[nrt])|(?<=%[0-9A-Fa-f]{2})|(?<=\\x[0-9A-Fa-f]{2})|(?<=\\u[0-9A-Fa-f]{4})|(?<=[\[;0-9][0-9]m)"
"""Escapes end in letters or digits: of JSON, of URLs, and of a terminal's colours."""
_WORD_START = rf"(?:(?<![A-Za-z0-9_-])|{_ESCAPE_BEFORE})"
_START = rf"(?:(?<![A-Za-z0-9-])|{_ESCAPE_BEFORE})"
_BASE62 = r"[A-Za-z0-9]"
_BASE64URL = r"[A-Za-z0-9_-]"
_WITH_DIGIT = rf"(?={_BASE64URL}{{0,199}}[0-9])"
"""Real keys hold a digit; long hyphenated words (`sk-learn-contrib-extensions`) do not."""

_GITLAB_USES = ("pat", "ptt", "dt", "rt", "cbt", "ft", "soat", "agent", "imt", "oas")

_TOKENS: Final = (
    ("aws", ("AKIA", "ASIA", "ABIA", "ACCA"), r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])"),
    ("github", ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), rf"gh[pousr]_{_BASE62}{{20,255}}"),
    ("github", ("github_pat_",), r"github_pat_[A-Za-z0-9_]{20,255}"),
    ("gitlab", tuple(f"gl{use}-" for use in _GITLAB_USES), rf"gl(?:{'|'.join(_GITLAB_USES)})-{_BASE64URL}{{20,255}}"),
    ("slack", ("xox", "xapp-"), r"(?:xox[abceoprs]|xapp)-[A-Za-z0-9-]{10,255}"),
    ("anthropic", ("sk-ant-",), rf"sk-ant-{_BASE64URL}{{16,255}}"),
    ("openai", ("sk-",), rf"sk-{_WITH_DIGIT}{_BASE64URL}{{20,255}}"),
    ("google", ("AIza",), rf"AIza{_BASE64URL}{{35}}"),
    ("google", ("ya29.", "GOCSPX-"), rf"(?:ya29\.|GOCSPX-){_BASE64URL}{{20,500}}"),
    ("stripe", ("_live_", "_test_"), rf"[sr]k_(?:live|test)_{_BASE62}{{10,255}}"),
    ("stripe", ("whsec_",), r"whsec_[A-Za-z0-9+/=]{20,255}"),
    ("npm", ("npm_",), rf"npm_{_BASE62}{{30,255}}"),
    ("pypi", ("pypi-",), rf"pypi-{_BASE64URL}{{40,500}}"),
    ("huggingface", ("hf_",), rf"hf_{_BASE62}{{30,255}}"),
    ("sendgrid", ("SG.",), rf"SG\.{_BASE64URL}{{16,100}}\.{_BASE64URL}{{16,100}}"),
    ("twilio", ("SK",), r"SK[0-9a-f]{32}(?![A-Za-z0-9])"),
    ("kept", ("kept_",), rf"kept_{_WITH_DIGIT}{_BASE64URL}{{20,255}}"),
    ("mem0", ("m0-",), rf"m0-{_WITH_DIGIT}{_BASE64URL}{{16,255}}"),
    ("digitalocean", ("_v1_",), r"do[opr]_v1_[0-9a-f]{64}"),
    ("databricks", ("dapi",), r"dapi[0-9a-f]{32}"),
    ("vault", ("hvs.", "hvb."), rf"hv[sb]\.{_BASE64URL}{{20,500}}"),
    ("shopify", ("shpat_", "shpca_", "shppa_", "shpss_"), r"shp(?:at|ca|pa|ss)_[0-9a-f]{32}"),
    ("grafana", ("glsa_", "glc_"), rf"gl(?:sa|c)_{_BASE64URL}{{20,255}}"),
    ("atlassian", ("ATATT3",), r"ATATT3[A-Za-z0-9_=-]{40,400}"),
    ("linear", ("lin_api_",), rf"lin_api_{_BASE62}{{30,100}}"),
    ("notion", ("ntn_",), rf"ntn_{_BASE62}{{30,100}}"),
    ("groq", ("gsk_",), rf"gsk_{_BASE62}{{30,100}}"),
    ("xai", ("xai-",), rf"xai-{_BASE62}{{40,200}}"),
    ("perplexity", ("pplx-",), rf"pplx-{_BASE62}{{30,100}}"),
    ("age", ("AGE-SECRET-KEY-",), r"AGE-SECRET-KEY-1[A-Z0-9]{50,70}"),
    ("telegram", (":A",), rf"[0-9]{{8,10}}:A{_BASE64URL}{{34}}(?!{_BASE64URL})"),
    ("jwt", ("eyJ",), rf"eyJ{_BASE64URL}{{8,4000}}\.{_BASE64URL}{{8,16000}}(?:\.{_BASE64URL}{{0,4000}})?"),
)
_ANYWHERE: Final = frozenset({"aws", "github", "gitlab", "anthropic"})
_AT_WORDS: Final = frozenset({"kept", "mem0", "twilio", "telegram"})
_WEBHOOK: Final = re.compile(
    r"((?:hooks\.slack\.com/(?:services|workflows|triggers)/|discord(?:app)?\.com/api/webhooks/))[A-Za-z0-9/+_-]{20,255}"
)


def _token(match: re.Match[str], kind: str) -> str:
    """The mark, unless the token's varying part is one character repeated, as in documentation."""
    tail = match[0][-12:]
    return match[0] if len(set(tail)) == 1 else _mark(kind)


def _token_rule(kind: str, triggers: tuple[str, ...], pattern: str) -> _Rule:
    """A rule whose pattern is compiled when a trigger first asks for it: thirty compilations would cost every start 10 ms."""
    start = "" if kind in _ANYWHERE else _WORD_START if kind in _AT_WORDS else _START
    return _Rule(
        kind=kind,
        triggers=triggers,
        apply=partial(re.sub, start + pattern, partial(_token, kind=kind)),
        any_case=False,
    )


# --- secrets in URLs and headers ---

_URL_PASSWORD: Final = re.compile(
    r"(?<![A-Za-z0-9+.-])([A-Za-z][A-Za-z0-9+.-]{0,29}://[^\s:/@?#\"'<>\[]{0,128}:)"
    r"((?!\d{1,5}(?:[/?#]|$))[^\s\"'<>`?#]{1,256})(?=@[\w\[$<{%*.-])"
)
_URL_TOKEN: Final = re.compile(r"(?<=://)[A-Za-z0-9_-]{20,256}(?=@)")
_HEADER: Final = re.compile(
    r"(authorization\W{1,6})(?:(bearer|basic|token|apikey|negotiate)\s{1,4})?([^\s\"'`,;<>]{4,4096})", re.IGNORECASE
)
_BEARER: Final = re.compile(
    r"\b((?:bearer|basic)\s{1,4})((?=[^\s]{0,400}[0-9=])[A-Za-z0-9._~+/=-]{16,4096})", re.IGNORECASE
)
_CURL_USER: Final = re.compile(r"((?<!\S)(?:-u|--user)[\s=]{1,4}[\"']?[^\s:\"'/]{1,64}:)([^\s\"'/]{3,256})")


def _keep_first(match: re.Match[str], kind: str) -> str:
    """The first group and the mark in place of the second, unless that is a placeholder or a number."""
    value = match[2]
    return match[0] if re.fullmatch(_PLACEHOLDER, value) or value.isdigit() else match[1] + _mark(kind)


def _header(match: re.Match[str]) -> str:
    if re.fullmatch(_PLACEHOLDER, match[3]) or (not match[2] and not _looks_secret(match[3])):
        return match[0]
    return match[0][: -len(match[3])] + _mark("authorization")


# --- assignments ---

_LOGIN_WORDS = (
    r"passw(?:or[dt]|d)|passphrase|passcode|pwd|(?<![a-z0-9])(?:pass|pw)(?=[\"'`*]{0,3}\s{0,2}[:=\uff1a\uff1d])"
)
_KEY_WORDS = (
    r"(?:api|access|auth|secret|private|account|encryption|signing|master|sharedaccess|subscription)[ _-]?key"
    r"|(?:auth|access|refresh|api|bearer|bot|session|id|csrf|personal)?[ _-]?token|(?:client|app|shared|webhook)?[ _-]?secret"
    r"|credentials?"
)
_NAME: Final = rf"(?i)(?:{_LOGIN_WORDS}|{_KEY_WORDS})$"
_SEPARATOR = (
    r"([\"'`\]*\\]{0,4}"  # the end of a quoted or emphasised name
    r"(?:\s{0,2}:\s{0,2}[A-Za-z][\w.\[\]]{0,30}(?:\s?\|\s?None)?\s{0,2}="  # an annotated assignment
    r"|\s{0,3}(?:=>|:=|={1,3}|!=|[:\uff1a\uff1d])|\s(?:is|are|was|ist)\s{0,2}:?(?=\s))[\s*]{0,4})"
)
_VALUE = r"(?:\\{0,3}\"([^\"\n]{3,1024})\"|\\{0,3}'([^'\n]{3,1024})'|`([^`\n]{3,1024})`|([^\s\"'`,;&<>]{4,1024}))"


def _assignment_pattern(names: str) -> str:
    suffix = r"(?:[_-]?(?:key|access|value|string|[0-9]{1,2})){0,2}"
    return rf"(?i)({names}){suffix}{_SEPARATOR}{_VALUE}"


_LOGIN_ASSIGNMENT: Final = _assignment_pattern(_LOGIN_WORDS)
_KEY_ASSIGNMENT: Final = _assignment_pattern(_KEY_WORDS)
_FLAG: Final = (
    rf"(?i)((?<!\S)--?[a-z0-9-]{{0,24}}(?:{_LOGIN_WORDS}|{_KEY_WORDS})\s{{1,2}}[\"']?)([^\s\"'-][^\s\"']{{3,256}})"
)
_PLACEHOLDER: Final = (
    r"(?is)\[redacted:.*|<.*|[$%{(\[].*|[*x.•_#-]+|[\"'\\]*"
    r"|(?:your|my|the|a|an|some|insert|enter|replace|put)[-_ ].*|.*(?:_here|-here| here|goes here)"
    r"|none|null|nil|undefined|true|false|required|optional|missing|invalid|expired|valid|empty|unset|unknown|hidden|masked|redacted"
    r"|incorrect|wrong|correct|string|str|bytes|int|integer|number|bool|boolean|any|object|text|secretstr|password|passwd|secret|token|yes|no"
    r"|await|new|not|lambda|yield|self|this|placeholder|change_?me|todo|n/a|tbd|example|[.~]{0,2}/.*"
)
_CODE: Final = r"(?s)[A-Za-z_]\w*(?:(?:\.|->|::)[A-Za-z_]\w*)*(?:[(\[{].*|[?]?\.?)|(?:\w+\.)+[A-Za-z_]\w*[)\]]*"
_DIGIT_AND_LETTER: Final = re.compile(r"(?=.*[0-9])(?=.*[^\W0-9])", re.DOTALL)
_SYMBOL: Final = re.compile(r"[!@#$%^&*+=~|]")
_SYMBOL_AND_LETTER: Final = re.compile(r"(?=.*[!@#$%^&*+=~|])(?=.*[^\W0-9_])", re.DOTALL)
_EQUALS: Final = frozenset("=\uff1d")
_SHORT_NAMES: Final = frozenset({"pass", "pw"})
_LEAST_SPOKEN: Final = 6
"""A value only said (`password is …`, `token: …` in a sentence) is at least this long: shorter ones are mostly words."""
_LEAST_RANDOM: Final = 20
"""Letters alone pass for a random token from this length on, where words end."""


def _looks_secret(value: str) -> bool:
    """Whether a value, by its characters alone, is more likely random than a word."""
    if len(value) < _LEAST_SPOKEN:
        return False
    return bool(_DIGIT_AND_LETTER.match(value) or _SYMBOL.search(value)) or (
        len(value) >= _LEAST_RANDOM and value.isalnum()
    )


def _mixed(value: str) -> bool:
    """Whether a value only said has letters among digits or symbols, as words have not."""
    return len(value) >= _LEAST_SPOKEN and bool(_DIGIT_AND_LETTER.match(value) or _SYMBOL_AND_LETTER.match(value))


def _is_code(name: str, value: str) -> bool:
    """Whether an unquoted value is an expression (`os.environ["X"]`, `settings.token`, `api_key`), not a literal."""
    code = re.fullmatch(_CODE, value)
    if not code:
        return False
    bare = value.isidentifier() and not any(map(str.isdigit, value))
    if bare:
        return bool(re.search(_NAME, value)) or value.lower() == name.lower()
    return not value.isidentifier()


def _assignment(match: re.Match[str], kind: str) -> str:
    name, separator, *values = match.groups()
    group = next(group for group in range(3, 7) if match[group] is not None)
    quoted = group < len(values) + 2
    value = match[group].rstrip("\\" if quoted else ".)]}!?:")
    if re.fullmatch(_PLACEHOLDER, value) or (not quoted and _is_code(name, value)):
        return match[0]
    if not _is_assigned(match, separator.strip(" \t\n\"'`]*\\"), value, quoted=quoted, login=kind == "password"):
        return match[0]
    start = match.start(group) - match.start()
    return match[0][:start] + _mark(kind) + match[0][start + len(value) :]


def _is_assigned(match: re.Match[str], separator: str, value: str, *, quoted: bool, login: bool) -> bool:
    """Whether `name separator value` gives a secret its value, rather than speaks about it."""
    if quoted:
        return "=" in separator or " " not in value or _looks_secret(value)
    if match[1].lower() in _SHORT_NAMES:
        # `pass` also counts passes, and heads the line of a test that passed.
        heads_line = match[1].isupper() and match.string[: match.start()][-1:] != "_"
        return not value.isdigit() if separator[-1:] in _EQUALS else _looks_secret(value) and not heads_line
    if separator[-1:] in _EQUALS:
        return True
    if separator[:1].isalpha():  # password is …
        return _mixed(value)
    if _looks_secret(value):
        return True
    # A password may be a word: believed when nothing but a mark or the end of the line follows.
    following = match.string[match.end() : match.end() + 2].lstrip(" \t")[:1]
    return login and (not following or following in "\r\n,;")


def _flag(match: re.Match[str]) -> str:
    """Hide the argument of a flag, unless a sentence speaks about the flag (`pass --token to the command`)."""
    return _keep_first(match, "password") if _looks_secret(match[2]) else match[0]


# --- secrets in the forms of one tool ---

_NAMES = rf"(?:{_LOGIN_WORDS}|{_KEY_WORDS})"
_ELEMENT: Final = rf"(?i)(<[\w.:-]{{0,40}}(?:passw(?:or[dt]|d)|passphrase|pwd|{_KEY_WORDS})(?:\s[^<>]{{0,200}})?>)([^<>\n]{{3,1024}})(?=</)"
_SET_TO: Final = (
    rf"(?i)(\b(?:set|sets|setting|change[ds]?|changing|reset|resetting|update[ds]?|rotate[ds]?)\s(?:[\w'-]{{1,30}}\s){{0,4}}?{_NAMES}"
    r"\sto:?\s[\"'`*]{0,2})([^\s\"'`]{6,256})"
)
_MYSQL: Final = re.compile(
    r"((?:\b(?:mysql|mysqldump|mysqladmin|mysqlimport|mariadb|mariadb-dump)\b[^\n|;&]{0,200}?\s-p|\bsshpass\s{1,4}-p\s{0,4})[\"']?)"
    r"([^\s\"'-][^\s\"']{2,256})"
)
_SESSION: Final = re.compile(
    r"((?<![a-z0-9])(?:[a-z]{0,3}sess(?:ion)?[_-]?id|connect\.sid)=)([^\s;&,\"'<>]{8,512})", re.IGNORECASE
)
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_QUERY: Final = re.compile(
    r"([?&][\w.-]{0,40}?(?:sig|signature|token|secret|passw(?:or[dt]|d)|pwd|api_?key|access_?key|auth)=)([^\s&#\"'`<>]{4,4096})",
    re.IGNORECASE,
)
_NETRC: Final = re.compile(
    r"(\bmachine\s{1,8}(?=\S{0,252}[.:\d]|localhost)\S{1,253}\s{1,8}login\s{1,8}\S{1,128}\s{1,8}password\s{1,8})(\S{3,256})",
    re.IGNORECASE,
)
_YAML_BLOCK: Final = (
    rf"(?i)({_NAMES}[\"']?\s{{0,2}}:[ \t]{{0,4}}[|>][+-]?[0-9]?[ \t]{{0,4}}\r?\n(?P<indent>[ \t]{{1,40}}))"
    r"(?P<value>\S[^\n]*+(?:\n(?P=indent)[^\n]*+)*+)"
)


def _keep_first_unless(match: re.Match[str], kind: str, is_secret: Callable[[str], bool]) -> str:
    """The first group, and the mark in place of the second if that is a secret and no placeholder."""
    value = match[2].rstrip(".,;:!?)*")
    if re.fullmatch(_PLACEHOLDER, value) or not is_secret(value):
        return match[0]
    return match[1] + _mark(kind) + match[2][len(value) :]


def _is_session(value: str) -> bool:
    """Sessions that are UUIDs are named in logs and transcripts, where they open nothing."""
    return _looks_secret(value) and not _UUID.fullmatch(value)


def _block(match: re.Match[str]) -> str:
    return match[0] if re.fullmatch(_PLACEHOLDER, match["value"]) else match[1] + _mark("secret")


_SHORT_TRIGGERS: Final = tuple(
    f"{name}{end}" for name in ("pass", "pw") for end in (":", "=", " =", '"', "'", "*", "\uff1a", "\uff1d")
)
_TOOL_RULES: Final = (
    _Rule(
        kind="password",
        triggers=("machine",),
        apply=partial(_NETRC.sub, partial(_keep_first_unless, kind="password", is_secret=bool)),
    ),
    _Rule(
        kind="password",
        triggers=("mysql", "mariadb", "sshpass"),
        apply=partial(_MYSQL.sub, partial(_keep_first_unless, kind="password", is_secret=bool)),
    ),
    _Rule(
        kind="secret",
        triggers=("sessionid=", "session_id=", "session-id=", "sessid=", "connect.sid="),
        apply=partial(_SESSION.sub, partial(_keep_first_unless, kind="secret", is_secret=_is_session)),
    ),
    _Rule(
        kind="secret",
        triggers=("sig=", "signature=", "token=", "secret=", "password=", "passwd=", "pwd=", "key=", "auth="),
        apply=partial(_QUERY.sub, partial(_keep_first, kind="secret")),
    ),
    _Rule(
        kind="secret",
        triggers=("</",),
        apply=partial(re.sub, _ELEMENT, partial(_keep_first, kind="secret")),
    ),
    _Rule(
        kind="password",
        triggers=("passw", "passphrase", "passcode", "pwd", "key", "token", "secret", "credential"),
        apply=partial(re.sub, _SET_TO, partial(_keep_first_unless, kind="password", is_secret=_mixed)),
    ),
    _Rule(
        kind="secret",
        triggers=(": |", ": >", ":|", ":>"),
        apply=partial(re.sub, _YAML_BLOCK, _block),
    ),
)
_RULES: Final = (
    _Rule(kind="private", triggers=("private",), apply=_redact_private),
    _Rule(kind="private_key", triggers=("private key",), apply=_redact_keys),
    *(_token_rule(*row) for row in _TOKENS),
    _Rule(
        kind="webhook",
        triggers=("hooks.slack.com", "/api/webhooks/"),
        apply=partial(_WEBHOOK.sub, lambda match: match[1] + _mark("webhook")),
    ),
    _Rule(
        kind="url_password",
        triggers=("://",),
        apply=partial(_URL_PASSWORD.sub, partial(_keep_first, kind="url_password")),
    ),
    _Rule(kind="url_password", triggers=("://",), apply=partial(_URL_TOKEN.sub, _mark("url_password"))),
    _Rule(kind="authorization", triggers=("authorization",), apply=partial(_HEADER.sub, _header)),
    *_TOOL_RULES,
    _Rule(
        kind="authorization",
        triggers=("bearer", "basic"),
        apply=partial(_BEARER.sub, partial(_keep_first, kind="authorization")),
    ),
    _Rule(
        kind="password", triggers=("-u", "--user"), apply=partial(_CURL_USER.sub, partial(_keep_first, kind="password"))
    ),
    _Rule(
        kind="password",
        triggers=("passw", "passphrase", "passcode", "pwd", "key", "token", "secret", "credential"),
        apply=partial(re.sub, _FLAG, _flag),
    ),
    _Rule(
        kind="password",
        triggers=("passw", "passphrase", "passcode", "pwd", *_SHORT_TRIGGERS),
        apply=partial(re.sub, _LOGIN_ASSIGNMENT, partial(_assignment, kind="password")),
    ),
    _Rule(
        kind="secret",
        triggers=("key", "token", "secret", "credential"),
        apply=partial(re.sub, _KEY_ASSIGNMENT, partial(_assignment, kind="secret")),
    ),
)
_LOWER_TRIGGERS: Final = tuple({trigger: None for rule in _RULES if rule.any_case for trigger in rule.triggers})
_EXACT_TRIGGERS: Final = tuple({trigger: None for rule in _RULES if not rule.any_case for trigger in rule.triggers})
_MOST_PASSES: Final = 8
"""One pass finds everything; another is made only after a find, since a mark may free what stood beside it."""


_INVISIBLE: Final = "\xad\u200b\u200c\u200d\u2060\ufeff"
"""Soft hyphen, zero-width space and joiners, byte order mark."""
_INVISIBLE_GONE: Final = dict.fromkeys(map(ord, _INVISIBLE))


def _seen(text: str) -> str:
    return text.translate(_INVISIBLE_GONE)


def _may_hold_secret(text: str) -> bool:
    lower = text.lower()
    for trigger in _LOWER_TRIGGERS:  # loops: `any` over a generator takes twice as long
        if trigger in lower:
            return True
    for trigger in _EXACT_TRIGGERS:  # noqa: SIM110 - the same
        if trigger in text:
            return True
    return False


def redact(text: str) -> Redaction:
    """Replace the secrets in `text` by `[redacted:KIND]`.

    Covers private key blocks, `<private>…</private>`, tokens of well-known issuers, JWTs, authorization headers, passwords in
    URLs, and values assigned to names such as `password` or `api_key`. Placeholders (`<your-key>`, `${VAR}`, `xxx`,
    `required`) and code that merely names a secret stay. A password that is a plain word is seen in an assignment or at the
    end of a line or clause, not in the middle of a sentence.

    Returns:
        The redacted text and the kinds found; `redact(redact(x).text).text == redact(x).text`.
    """
    plain = _redact_visible(text)
    if text.isascii() or not any(character in text for character in _INVISIBLE):
        return plain
    # Characters that nobody sees can stand inside a secret. Where they hide one, the text goes without them.
    bare = _redact_visible(_seen(text))
    return plain if _seen(plain.text) == bare.text else bare


def _redact_visible(text: str) -> Redaction:
    if not _may_hold_secret(text):
        return Redaction(text=text, found=())
    found: dict[str, None] = {}
    for _ in range(_MOST_PASSES):
        before = text
        lower = text.lower()
        for rule in _RULES:
            haystack = lower if rule.any_case else before
            if not any(trigger in haystack for trigger in rule.triggers):
                continue
            redacted = rule.apply(text)
            if redacted != text:
                found[rule.kind] = None
                text = redacted
        if text == before:
            break
    return Redaction(text=text, found=tuple(found))


# --- values under a name ---

_SECRET_KEY: Final = re.compile(
    r".*(?:(?P<password>passw(?:or[dt]|d)s?|passphrase|passcode|pwd)"
    r"|(?P<private_key>privatekey)|(?P<authorization>authorization)"
    r"|secrets?|token|credentials?|connectionstring|webhookurl"
    r"|(?:api|access|auth|secret|account|encryption|signing|master|subscription)keys?)|pass|pw",
    re.DOTALL,
)
_KEY_SEPARATORS: Final = re.compile(r"[\s_.:-]+")
_OBVIOUS_PLACEHOLDER: Final = (
    r"(?is)\s*(?:\[redacted:[^\]]*\]|<[^<>]*>|\$?\{[^{}]*\}|\{\{[^{}]*\}\}|\$[a-z_]+|%[a-z_]+%|[*x.•_#-]*|your[-_ ].*"
    r"|none|null|nil|undefined|true|false|required|optional|missing|invalid|expired|valid|empty|unset|unknown|hidden|masked|redacted"
    r"|placeholder|change_?me|todo|n/a|tbd|example|yes|no)\s*"
)


def redact_value(key: str, text: str) -> str:
    """A string of metadata without secrets: all of it goes when its key names a secret, unless it is a placeholder.

    Args:
        key: The name it stands under. Case, dashes, dots, underscores and spaces in it do not matter; what stands before
            the naming word does not either (`GITHUB_TOKEN`, `db-password`).
        text: The value.

    Returns:
        `[redacted:KIND]` for a secret; otherwise the text as `redact` leaves it. Redacting again changes nothing.
    """
    words = _KEY_SEPARATORS.split(_seen(key).strip().lower())
    named = _SECRET_KEY.fullmatch("".join(words)) or _SECRET_KEY.fullmatch(words[-1])
    if named is None or re.fullmatch(_OBVIOUS_PLACEHOLDER, text):
        return redact(text).text
    kind = "password" if named[0] in _SHORT_NAMES else named.lastgroup or "secret"
    return _mark(kind)
