"""Terms, sentences, chunks, token counts and canonical forms."""

from __future__ import annotations

import importlib.util
import time
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from kept.domain.text import (
    chunks,
    clean,
    count_tokens,
    hashed_terms,
    normalise,
    sentence_spans,
    sentences,
    term_hash,
    terms,
)

SECONDS = 1.0
PROSE_RATIO = 1.6

TERMS = [
    ("", []),
    ("The cats are running", ["cat", "run"]),
    ("Caroline's dog", ["carolin", "dog"]),
    ("Caroline\u2019s dog", ["carolin", "dog"]),
    ("don't won't I'm they've", []),
    ("O'Brien", ["obrien", "brien"]),
    ("getUserById", ["getuserbyid", "get", "user", "id"]),
    ("HTTPServer", ["httpserver", "http", "server"]),
    ("user_ids", ["user_ids", "user", "id"]),
    ("MAX_RETRIES", ["max_retries", "max", "retri"]),
    ("__init__", ["__init__", "init"]),
    ("state-of-the-art", ["state-of-the-art", "state", "art"]),
    ("kept.domain.text", ["kept.domain.text", "kept", "domain", "text"]),
    ("src/app/main.py", ["src/app/main.py", "src", "app", "main.py", "main", "py"]),
    ("C:\\logs\\out.txt", ["c:\\logs\\out.txt", "log", "out.txt", "txt"]),
    ("https://example.org/a_b", ["https://example.org/a_b", "https", "example.org", "exampl", "org", "a_b"]),
    ("v2.10.3", ["v2.10.3", "2.10.3", "2.10"]),
    ("Python 3.11", ["python", "3.11"]),
    ("python3.11", ["python3.11", "python", "3.11"]),
    ("sha256", ["sha256", "sha"]),
    ("error E0308", ["error", "e0308"]),
    ("ERR_CONN_REFUSED", ["err_conn_refused", "err", "conn", "refus"]),
    ("HTTP 404", ["http404", "http", "404"]),
    ("1,200 users", ["1200", "user"]),
    ("C++ and C#", ["c++", "c#"]),
    ("caf\u00e9 \u00f1and\u00fa Stra\u00dfe", ["cafe", "nandu", "strass"]),
    ("\u6211\u559c\u6b22Python3", ["\u6211\u559c", "\u559c\u6b22", "python3", "python"]),
    ("\u6c34", ["\u6c34"]),
    (
        "\u041f\u0440\u0438\u0432\u0435\u0442, \u0451\u043b\u043a\u0430",
        ["\u043f\u0440\u0438\u0432\u0435\u0442", "\u0435\u043b\u043a\u0430"],
    ),
    ("\u0939\u093f\u0902\u0926\u0940 \u092e\u0947\u0902", ["\u0939\u093f\u0902\u0926\u0940", "\u092e\u0947\u0902"]),
    ("\u0e02\u0e49\u0e32\u0e27", ["\u0e02\u0e49\u0e32\u0e27"]),
    ("\u0643\u064e\u062a\u064e\u0628\u064e", ["\u0643\u062a\u0628"]),
    ("\u05e9\u05b8\u05c1\u05dc\u05d5\u05b9\u05dd", ["\u05e9\u05dc\u05d5\u05dd"]),
    ("\uff2b\uff45\uff50\uff54", ["kept"]),
    ("\0 \ud800 ... --- ___", []),
]

SENTENCES = [
    ("Dr. Smith came. He left.", ["Dr. Smith came.", "He left."]),
    ("Use tabs, e.g. in Go. Not in Python.", ["Use tabs, e.g. in Go.", "Not in Python."]),
    ("The U.S. Army. The U.S. It is big.", ["The U.S. Army.", "The U.S.", "It is big."]),
    ("J. R. Tolkien wrote it.", ["J. R. Tolkien wrote it."]),
    ("Python 3.11 is fine. So is main.py here.", ["Python 3.11 is fine.", "So is main.py here."]),
    ("See https://example.org/a.b?c=d. Then go.", ["See https://example.org/a.b?c=d.", "Then go."]),
    ("Well... maybe. Or... No.", ["Well... maybe.", "Or...", "No."]),
    ('"Really?" she said. "Yes!" He left.', ['"Really?" she said.', '"Yes!"', "He left."]),
    ("i like it. it is good", ["i like it.", "it is good"]),
    ("\u5b8c\u4e86\u3002\u771f\u7684\uff1f\u597d", ["\u5b8c\u4e86\u3002", "\u771f\u7684\uff1f", "\u597d"]),
    ("# Title\nText here.\n- one\n- two", ["# Title", "Text here.", "- one", "- two"]),
    ("1. First step.\n2. Second step.", ["1. First step.", "2. Second step."]),
    ("Use `a. B` now. Done.", ["Use `a. B` now.", "Done."]),
    ("See:\n```\na. B\n\nc. D\n```\nDone.", ["See:", "```\na. B\n\nc. D\n```", "Done."]),
    ("No. 5 is alive. No. We stay.", ["No. 5 is alive.", "No.", "We stay."]),
    ("We met at 5 p.m. on Monday. At 6 p.m. She left.", ["We met at 5 p.m. on Monday.", "At 6 p.m.", "She left."]),
    (
        "This line was wrapped by an editor at some seventy characters\nand goes on here.\n\nNew paragraph",
        ["This line was wrapped by an editor at some seventy characters\nand goes on here.", "New paragraph"],
    ),
    ("  \n ", []),
]

TOKEN_SAMPLES = {
    "prose": "The museum opens at nine, but the tour of the upper floors begins only after lunch. My sister wanted to see the pottery, so we waited "
    "in the courtyard, drank too much coffee and talked about the move to Lisbon. She has found a flat near the river.",
    "notes": "We decided to keep the write path synchronous because the embedding call dominates anyway. Migrations run inside one transaction, "
    "and a failed migration leaves the previous schema untouched. The staging database is restored every Sunday night.",
    "chat": "Hey Nora! Sounds fab. How'd the recital go? I bet the twins were over the moon.",
    "python": "def load(path: Path, *, limit: int = 100) -> list[Row]:\n    with path.open(encoding='utf-8') as file:\n        return [parse(line) for line in file][:limit]\n",
    "typescript": "export const useAuth = (): AuthState => {\n  const [user, setUser] = useState<User | null>(null);\n  return { user, isLoading: !user };\n};",
    "sql": "SELECT u.id, COUNT(*) AS n FROM users u LEFT JOIN orders o ON o.user_id = u.id WHERE u.created_at >= '2026-01-01' GROUP BY u.id;",
    "json": '{"id": "7f3c9a10-2b44-4f7e-9d1e-8a6b5c4d3e2f", "at": "2026-03-02T10:15:30.123Z", "tags": ["alpha", "beta"], "score": 0.8731, "ok": null}',
    "urls": "See https://docs.example.org/en/latest/guide/install.html?lang=en&v=2.10#windows and http://localhost:8080/api/v1/users/42/orders?limit=50",
    "log": '2026-03-02 10:15:30,123 ERROR [worker-3] app.ingest: sqlite3.OperationalError: database is locked\n  File "/srv/app/main.py", line 214\n',
    "hash": "commit 9fceb02d0ae598e95dc970b74767f19372d61af8 sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "markdown": "# Heading\n\n| name | value |\n| --- | ---: |\n| `timeout_s` | 30 |\n\n- **bold** item\n- _other_ item\n",
    "chinese": "\u6211\u4eec\u6628\u5929\u51b3\u5b9a\u628a\u6570\u636e\u5e93\u8fc1\u79fb\u5230\u65b0\u7684\u670d\u52a1\u5668\uff0c\u56e0\u4e3a\u65e7\u7684\u673a\u5668\u592a\u6162\u4e86\u3002",
    "japanese": "\u6628\u65e5\u3001\u6771\u4eac\u3067\u65b0\u3057\u3044\u30ab\u30d5\u30a7\u3092\u898b\u3064\u3051\u307e\u3057\u305f\u3002\u307e\u305f\u884c\u304d\u305f\u3044\u3067\u3059\u3002",
    "korean": "\uc800\ub294 \uc11c\uc6b8\uc5d0 \uc0b4\uace0 \uc788\uace0 \uc8fc\ub9d0\ub9c8\ub2e4 \uc790\uc804\uac70\ub97c \ud0d1\ub2c8\ub2e4.",
    "russian": "\u0412\u0447\u0435\u0440\u0430 \u043c\u044b \u0440\u0435\u0448\u0438\u043b\u0438 \u043f\u0435\u0440\u0435\u043d\u0435\u0441\u0442\u0438 \u0431\u0430\u0437\u0443 \u0434\u0430\u043d\u043d\u044b\u0445.",
    "german": "Gestern haben wir beschlossen, die Datenbank auf den neuen Server zu \u00fcbertragen, weil die alte Maschine zu langsam geworden ist.",
    "emoji": "Happy birthday!! \U0001f389\U0001f382\U0001f973 See you at 8 \U0001f469\u200d\U0001f469\u200d\U0001f467 \u2764\ufe0f\U0001f525 \U0001f44d\U0001f3fd \u2705",
    "symbols": "\u2211 x\u00b2 \u2264 \u221e, \u2200\u03b5>0 \u2203\u03b4 \u2192 \u201cquoted\u201d \u2014 dash\u2026 \u2022 \u00bd \u20ac100 \u00b0C",
    "white space": "a\t\tb\n\n\n\n        deep\n                deeper          end   \r\n\r\nx",
}


@pytest.fixture(scope="session")
def llama():
    """The Llama 2 tokenizer that the default embedder brings along."""
    spec = importlib.util.find_spec("wordllama")
    assert spec is not None
    assert spec.submodule_search_locations
    folder = Path(spec.submodule_search_locations[0]) / "tokenizers"
    tokenizer = Tokenizer.from_file(str(next(folder.glob("*.json"))))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)


@pytest.mark.parametrize(("text", "expected"), TERMS)
def test_terms_of_words_names_and_scripts(text, expected):
    """Each text of the table gives exactly the terms beside it."""
    assert terms(text) == expected


@given(st.text())
def test_hashed_terms_are_the_hashes_of_the_terms(text):
    """The memoised path and the plain one agree."""
    assert hashed_terms(text) == [term_hash(term) for term in terms(text)]


@given(st.text(alphabet="aAbB1_-./\\:'@&=?#+, "))
def test_terms_of_any_compound_are_lower_case_and_without_white_space(text):
    """Whatever the mixture of separators, a term is one."""
    assert all(term == term.lower() and " " not in term for term in terms(text))


def test_term_hash_is_stable():
    """Stored hashes must mean the same in every version and process."""
    assert term_hash("memory") == 3933025333
    assert 0 <= term_hash("\ud800") < 2**32


def test_a_word_without_end_is_cut_into_terms_of_bounded_length():
    """Encoded data does not become one giant term."""
    found = terms("a" * 1000)
    assert max(map(len, found)) == 64
    assert sum(map(len, found)) == 1000


def test_a_question_in_plain_words_meets_a_compound():
    """The parts of an identifier are found by the words of a question."""
    memory = set(terms("The bug is in getUserById of src/app/users.ts since v2.10.3"))
    assert set(terms("user bug in users.ts version 2.10")) - {"version"} <= memory


@pytest.mark.parametrize(("text", "expected"), SENTENCES)
def test_sentences_end_where_a_reader_would_end_them(text, expected):
    """Each text of the table splits exactly as beside it."""
    assert sentences(text) == expected


@given(st.text(alphabet=st.sampled_from("aA. \n!?-#`1\u3002\"'")))
@example("``` ")
@example("a. ```\n ")
def test_sentence_spans_are_ordered_trimmed_and_lose_only_white_space(text):
    """No character that says something lies between the spans."""
    at = 0
    for start, end in sentence_spans(text):
        assert not text[at:start].strip()
        assert text[start:end] == text[start:end].strip() != ""
        at = end
    assert not text[at:].strip()


def test_a_short_text_is_one_chunk_as_it_is():
    """Nothing is trimmed from what need not be split."""
    assert chunks(" a short text \n") == [" a short text \n"]
    assert chunks("") == [""]


@given(st.text(alphabet=st.sampled_from("aB. \n!`\u4e2d1"), max_size=400), st.integers(min_value=1, max_value=60))
def test_chunks_lose_only_white_space(text, size):
    """Every character that can hold a term is in some chunk, in order."""
    assert "".join("".join(chunks(text, size)).split()) == "".join(text.split())


def test_chunks_end_with_sentences():
    """A chunk of prose does not cut a sentence that fits."""
    text = "The service restarts every night at three o'clock. " * 40
    assert all(chunk.endswith(".") and len(chunk) <= 500 for chunk in chunks(text))


def test_a_fenced_block_is_not_cut_at_the_size_of_a_chunk():
    """Code up to three times the size stays together."""
    code = "```\n" + "value = compute(value)\n" * 50 + "```"
    text = "An introduction that is long enough to matter here. " * 5 + "\n\n" + code + "\n\nAnd an end. " * 10
    assert any(code in chunk for chunk in chunks(text))


@pytest.mark.parametrize("name", TOKEN_SAMPLES)
def test_the_token_estimate_is_not_below_the_count_of_a_real_tokenizer(name, llama):
    """A budget in estimated tokens is never overspent on texts such as these."""
    assert count_tokens(TOKEN_SAMPLES[name]) >= llama(TOKEN_SAMPLES[name])


@pytest.mark.parametrize("name", ["prose", "notes", "chat"])
def test_the_token_estimate_of_english_prose_is_not_wasteful(name, llama):
    """At most 1.6 times the count, or budgets would be left unused."""
    assert count_tokens(TOKEN_SAMPLES[name]) <= PROSE_RATIO * llama(TOKEN_SAMPLES[name])


def test_an_empty_text_has_no_tokens():
    """Zero, so that nothing costs nothing."""
    assert count_tokens("") == 0


@given(st.text(), st.text())
def test_a_longer_text_never_has_fewer_tokens_than_its_beginning_less_one(text, more):
    """Cutting a text never makes it dearer, but for a word that the cut divides or a capital that it bares."""
    assert count_tokens(text + " " + more) >= count_tokens(text) - 1


@given(st.text(alphabet=st.characters(codec=None, categories=None)))
def test_clean_text_can_be_stored(text):
    """Clean text encodes as UTF-8, holds no NUL, and is clean already."""
    cleaned = clean(text)
    cleaned.encode("utf-8")
    assert "\0" not in cleaned
    assert clean(cleaned) == cleaned


def test_clean_joins_surrogate_pairs_and_marks_lone_ones():
    """JSON with escaped emoji gives pairs; a lone half cannot be saved."""
    assert clean("\ud83d\ude00 a\ud800b\0c") == "\U0001f600 a\ufffdbc"


@given(st.text())
def test_normalising_twice_is_normalising_once(text):
    """The canonical form is its own."""
    assert normalise(normalise(text)) == normalise(text)


def test_normalised_texts_are_equal_but_for_white_space_and_composition():
    """Case counts, white space and the way an accent is written do not."""
    assert normalise("  Caf\u00e9\n\topens ") == normalise("Cafe\u0301 opens") == "Caf\u00e9 opens"
    assert normalise("Tea") != normalise("tea")


@pytest.mark.slow
@pytest.mark.parametrize("function", [terms, hashed_terms, chunks, sentences, count_tokens, normalise, clean])
@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "1",
        "(",
        " ",
        "@",
        "<private>",
        ".",
        "`",
        "'",
        "_",
        "\u4e2d",
        "\u00e9",
        "aA",
        "1,234",
        ". ",
        "a\n",
        "\ud800",
    ],
)
def test_time_grows_with_the_length_of_a_hostile_text(function, piece):
    """200 KB of anything take less than a second."""
    text = piece * (200_000 // len(piece))
    started = time.process_time()
    function(text)
    assert time.process_time() - started < SECONDS
