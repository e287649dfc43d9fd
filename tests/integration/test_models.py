"""Language models through the real libraries, against scripted providers that speak the real wire formats."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import logging
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kept.adapters.inmemory_ledger import InMemoryLedger
from kept.adapters.models import Access, connection, open_model, pydantic_ai
from kept.bootstrap import model_access
from kept.domain.attachments import UNSHOWN
from kept.domain.memory import Attachment
from kept.domain.spending import Usage
from kept.domain.text import count_tokens
from kept.engine.models import Models
from kept.errors import (
    AttachmentsRefusedError,
    ConfigurationError,
    KeptError,
    ModelAnswerError,
    ModelRefusedError,
    ModelUnavailableError,
)
from kept.ports import Prompt
from kept.settings import Settings
from kept.testing.fakes import FixedClock, SequentialIds
from kept.testing.providers import (
    Answer,
    Broken,
    CutOff,
    Failure,
    HalfAnswer,
    OtherTool,
    Prose,
    Raw,
    Refusal,
    ScriptedProvider,
    Silence,
    Stall,
)
from kept.testing.providers.wires import say, wire

pytestmark = pytest.mark.usefixtures("scripted_models")

PATHS = {
    "anthropic:claude-haiku-4-5": "",
    "openai:gpt-5-mini": "/v1",
    "openai-chat:gpt-4o": "/v1",
    "google:gemini-2.5-flash": "",
    "ollama:qwen3": "/v1",
}
"""A model of each wire format, and what its providers' addresses end in."""
ANTHROPIC, RESPONSES, CHAT, GEMINI, OLLAMA = PATHS
ALWAYS_THINKS = "anthropic:claude-opus-5-5"
"""A call of a tool cannot be forced on it."""
every_model = pytest.mark.parametrize("spec", PATHS)

SCHEMA = {
    "type": "object",
    "properties": {"facts": {"type": "array", "items": {"type": "string"}}},
    "required": ["facts"],
    "additionalProperties": False,
}
PRIVATE = "Ana's passport is X1234567"
VALUE = {"facts": [PRIVATE, "Ana trinkt gern Tee ☕."]}
PROMPT = Prompt(instructions="Extract facts.", content="I am Ana.", schema=SCHEMA, max_output_tokens=400)


class Asked:
    """How a model that was asked once, or more often, answered."""

    def __init__(self, spec, *replies, prompt=PROMPT, key="sk-key", timeout_s=10.0, times=1, **options):
        with ScriptedProvider(replies) as provider:
            access = Access(key=lambda: key, advice="set MY_KEY", base_url=provider.url + PATHS.get(spec, ""))
            model = open_model(spec, access, timeout_s=timeout_s, **options)
            self.answer = self.error = None
            try:
                self.answer = [model.ask(prompt) for _ in range(times)][-1]
            except KeptError as error:
                self.error = error
        self.requests = provider.requests
        self.request = self.requests[0] if self.requests else None


# --- answers -----------------------------------------------------------------------------------------------------


@every_model
def test_an_answer_is_an_object_that_fits_the_schema_with_what_it_cost(spec):
    """By one request, whose tokens are told as the provider counts them."""
    asked = Asked(spec, Answer(VALUE, input_tokens=120, output_tokens=30, cached_tokens=40))
    assert asked.answer.value == VALUE
    assert asked.answer.usage == Usage(input_tokens=120, output_tokens=30, cached_tokens=40)
    assert len(asked.requests) == 1


@every_model
def test_what_is_asked_is_all_there_and_no_more(spec):
    """Instructions, content, the schema and the longest answer; in the likeliest words, where a model lets them be chosen."""
    written = json.dumps(Asked(spec, Answer(VALUE)).request.body)
    assert all(text in written for text in ("Extract facts.", "I am Ana.", '"facts"', "400"))
    assert ('"temperature": 0.0' in written) == (spec != RESPONSES)  # it always reasons, and then takes none


@every_model
def test_text_that_no_request_can_carry_is_made_fit_for_it(spec):
    """A lone surrogate, from a log that was cut in the middle of a character."""
    prompt = Prompt(instructions="i", content="half \ud83d of it", schema=SCHEMA, max_output_tokens=100)
    asked = Asked(spec, Answer(VALUE), prompt=prompt)
    assert asked.answer.value == VALUE
    assert "half \ufffd of it" in json.dumps(asked.request.body, ensure_ascii=False)


def test_a_temperature_is_passed_on():
    """What the settings say."""
    assert Asked(ANTHROPIC, Answer(VALUE), temperature=0.7).request.body["temperature"] == 0.7


@pytest.mark.parametrize("spec", [ANTHROPIC, RESPONSES, CHAT, GEMINI])
def test_an_answer_is_the_call_of_one_tool(spec):
    """Which is the only one, and must be called."""
    body = Asked(spec, Answer(VALUE)).request.body
    forced = {ANTHROPIC: {"type": "any"}, RESPONSES: "required", CHAT: "required"}
    if spec == GEMINI:
        assert body["toolConfig"]["functionCallingConfig"]["mode"] == "ANY"
    else:
        assert body["tool_choice"] == forced[spec]
    assert len(body["tools"]) == 1


def test_a_model_of_ones_own_is_held_to_the_schema_by_its_grammar():
    """Small models call tools badly."""
    body = Asked(OLLAMA, Answer(VALUE)).request.body
    assert body["response_format"]["type"] == "json_schema"
    assert body["response_format"]["json_schema"]["schema"]["properties"] == SCHEMA["properties"]
    assert "tools" not in body


NULLABLE = {
    "type": "object",
    "properties": {
        "type": {"type": "string", "enum": ["event", "task"]},
        "to": {"type": ["string", "null"]},
        "pairs": {"type": ["array", "null"], "items": {"type": "array", "items": {"type": "string"}}},
    },
    "required": ["type"],
}


@pytest.mark.parametrize("spec", [*PATHS, ALWAYS_THINKS])
@pytest.mark.parametrize(
    "value", [{"type": "task", "to": None, "pairs": [["a", "b"]]}, {"type": "event", "pairs": None}]
)
def test_a_schema_may_allow_nothing_for_a_value(spec, value):
    """In short, as a list of types; also to a model that always thinks, and is held to it in another way."""
    prompt = Prompt(instructions="i", content="c", schema=NULLABLE, max_output_tokens=100)
    asked = Asked(spec, Answer(value), prompt=prompt)
    assert asked.answer is not None, asked.error
    assert asked.answer.value == value
    written = json.dumps(asked.request.body)
    assert '"event"' in written
    assert '"null"' in written or '"nullable"' in written


@every_model
def test_json_in_words_or_in_a_fence_is_an_answer_as_well(spec):
    """Where a model did not call the tool, and fits the schema all the same."""
    for written in (json.dumps(VALUE), f"```json\n{json.dumps(VALUE, indent=2)}\n```\n"):
        assert Asked(spec, Prose(written)).answer.value == VALUE


def test_a_provider_that_counts_nothing_is_counted_for():
    """So that limits hold for it too; as `count_tokens` estimates."""
    usage = Asked(OLLAMA, Answer(VALUE, input_tokens=0, output_tokens=0)).answer.usage
    assert usage.input_tokens == sum(map(count_tokens, ("Extract facts.", "I am Ana.", json.dumps(SCHEMA))))
    assert usage.output_tokens == count_tokens(json.dumps(VALUE))


def test_a_model_is_asked_from_within_an_event_loop_and_from_many_threads():
    """A notebook runs a loop; a server has workers."""
    with ScriptedProvider(lambda _: Answer(VALUE)) as provider:
        model = open_model(CHAT, Access(key=lambda: "sk", base_url=f"{provider.url}/v1"), timeout_s=10)

        async def notebook():
            return model.ask(PROMPT)

        assert asyncio.run(notebook()).value == VALUE
        with ThreadPoolExecutor(4) as pool:
            answers = [future.result() for future in [pool.submit(model.ask, PROMPT) for _ in range(8)]]
        assert [answer.value for answer in answers] == [VALUE] * 8


@every_model
@pytest.mark.parametrize(
    "reply", [Answer(VALUE), Prose(PRIVATE), Failure(500, midway=True)], ids=["answer", "words", "down"]
)
def test_nothing_that_is_said_gets_into_a_log(spec, reply, caplog):
    """Neither what is asked nor what is answered."""
    caplog.set_level(logging.INFO)
    Asked(spec, reply)
    assert "passport" not in caplog.text
    assert "I am Ana" not in caplog.text


# --- what cannot be used -----------------------------------------------------------------------------------------

USELESS = {
    "half": HalfAnswer(VALUE),
    "cut off": CutOff(VALUE),
    "wrong shape": Answer({"facts": [{"text": PRIVATE}]}),
    "more than asked": Answer(VALUE | {PRIVATE: 1}),
    "another tool": OtherTool(VALUE),
    "words": Prose(f"Sure! {PRIVATE}."),
    "no object": Prose("[1, 2]"),
    "no number": Prose('{"facts": NaN}'),
    "too deep": Prose(f'{{"facts": {"[" * 500}{"]" * 500}}}'),
    "far too deep": Prose(f'{{"facts": {"[" * 50_000}{"]" * 50_000}}}'),
    "refusal": Refusal(),
}


@every_model
@pytest.mark.parametrize("reply", USELESS.values(), ids=USELESS)
def test_an_answer_that_does_not_fit_is_an_error_that_says_what_it_cost(spec, reply):
    """Asked once; and the error quotes nothing of it."""
    asked = Asked(spec, reply, Answer(VALUE))
    assert isinstance(asked.error, ModelAnswerError)
    assert (asked.error.input_tokens, asked.error.output_tokens) == (reply.input_tokens, reply.output_tokens)
    assert len(asked.requests) == 1
    assert spec in str(asked.error)
    assert "passport" not in str(asked.error)


@every_model
@pytest.mark.parametrize("status", [400, 413])
def test_a_request_that_is_refused_is_an_answer_of_no_use(spec, status):
    """The same request would be refused again."""
    asked = Asked(spec, Failure(status), Answer(VALUE))
    assert isinstance(asked.error, ModelAnswerError)
    assert str(status) in str(asked.error)
    assert len(asked.requests) == 1


NONSENSE = {
    "a page": Raw(b"<html>Bad gateway</html>"),
    "nothing": Raw(b"", "text/event-stream"),
    "an event of nothing": Raw(b"data: null\n\n", "text/event-stream"),
    "events of another": Raw(
        b'data: {"type": "message_start", "choices": null, "usage": "x"}\n\n', "text/event-stream"
    ),
    "no text": Raw(b"\xff\xfe\x00", "text/event-stream"),
    "pieces of nothing": Raw(
        b'event: content_block_delta\ndata: {"type":"content_block_delta","index":5,'
        b'"delta":{"type":"text_delta","text":"x"}}\n\n',
        "text/event-stream",
    ),
    "an error of a kind of its own": Raw(b'data: {"error": "x"}\n\n', "text/event-stream"),
}


@every_model
@pytest.mark.parametrize("reply", NONSENSE.values(), ids=NONSENSE)
def test_nonsense_is_an_error_of_the_model_whatever_its_library_makes_of_it(spec, reply):
    """Libraries stumble over what no provider sends; proxies send it."""
    asked = Asked(spec, reply, Answer(VALUE))
    assert isinstance(asked.error, (ModelAnswerError, ModelRefusedError, ModelUnavailableError))
    assert len(asked.requests) == 1


ROUTES = {
    ANTHROPIC: "/v1/messages",
    RESPONSES: "/v1/responses",
    CHAT: "/v1/chat/completions",
    GEMINI: "/v1beta/models/m:streamGenerateContent",
    OLLAMA: "/v1/chat/completions",
}


@every_model
@pytest.mark.filterwarnings("ignore")  # the libraries warn of what they cannot read
@settings(max_examples=20)
@given(damage=st.binary(max_size=20), cuts=st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_however_a_stream_is_damaged_it_is_an_answer_that_fits_or_an_error_of_the_model(spec, damage, cuts):
    """And one request, whatever happens."""
    written = wire(ROUTES[spec])
    whole = "".join(written.events(say(Answer(VALUE), None if spec == OLLAMA else pydantic_ai.ANSWER))).encode()
    first, last = sorted(int(cut * len(whole)) for cut in cuts)
    asked = Asked(spec, Raw(whole[:first] + damage + whole[last:], "text/event-stream"))
    assert len(asked.requests) == 1
    if asked.answer is None:
        assert isinstance(asked.error, (ModelAnswerError, ModelRefusedError, ModelUnavailableError))
    else:
        assert isinstance(asked.answer.value["facts"], list)


# --- what is not there -------------------------------------------------------------------------------------------

DOWN = {
    "busy": Failure(429),
    "failed": Failure(500),
    "unavailable": Failure(503),
    "overloaded": Failure(529),
    "busy midway": Failure(429, midway=True),
    "failed midway": Failure(500, midway=True),
    "overloaded midway": Failure(529, midway=True),
    "broken": Broken(),
    "broken midway": Broken(midway=True),
}


@every_model
def test_an_answer_of_any_size_is_not_read_beyond_what_an_answer_may_have(spec, monkeypatch):
    """Whole or streamed."""
    monkeypatch.setattr(connection, "MAX_ANSWER_BYTES", 10_000)
    for reply in (Answer({"facts": ["word " * 4_000]}), Raw(b" " * 20_000, "application/json")):
        asked = Asked(spec, reply, times=1)
        assert isinstance(asked.error, ModelAnswerError)
        assert "more than 10000 bytes" in str(asked.error)
        assert len(asked.requests) == 1


@every_model
def test_an_answer_that_is_packed_is_refused_and_none_is_asked_for(spec):
    packed = gzip.compress(b" " * 1_000_000)
    asked = Asked(spec, Raw(packed, "application/json", headers={"Content-Encoding": "gzip"}))
    assert isinstance(asked.error, ModelAnswerError)
    assert "compressed" in str(asked.error)
    assert [request.headers["accept-encoding"] for request in asked.requests] == ["identity"]


@every_model
@pytest.mark.parametrize("reply", DOWN.values(), ids=DOWN)
def test_a_model_that_is_down_is_unavailable_and_is_not_asked_again(spec, reply):
    """Also when the error comes within an answer that began well. When to come again is for whoever asks."""
    asked = Asked(spec, reply, Answer(VALUE))
    assert isinstance(asked.error, ModelUnavailableError)
    assert len(asked.requests) == 1


@every_model
def test_how_long_a_provider_wants_to_be_left_alone_is_told(spec):
    """As it says in its headers; nothing where it says nothing."""
    assert Asked(spec, Failure(429, retry_after_s=7)).error.retry_after_s == 7.0
    assert Asked(spec, Failure(429)).error.retry_after_s is None


def test_what_an_answer_cost_before_it_broke_is_told_where_the_provider_says_it_first():
    """Anthropic does."""
    assert Asked(ANTHROPIC, Broken(midway=True)).error.input_tokens == 100


@every_model
def test_a_model_that_says_nothing_is_given_up_in_time(spec):
    """The time is the settings'."""
    asked = Asked(spec, Silence(), timeout_s=0.3)
    assert isinstance(asked.error, ModelUnavailableError)
    assert len(asked.requests) == 1


@every_model
def test_a_model_that_falls_silent_is_given_up_before_its_time_is_over(spec, monkeypatch):
    """It began to answer, so that silence means that it will not go on."""
    monkeypatch.setattr(pydantic_ai, "STALL_S", 0.2)
    asked = Asked(spec, Stall(), timeout_s=50)
    assert isinstance(asked.error, ModelUnavailableError)


def test_a_provider_that_is_not_there_is_unavailable():
    """Nothing listens on that port any more."""
    with ScriptedProvider([]) as gone:
        url = gone.url
    model = open_model(CHAT, Access(key=lambda: "sk", base_url=f"{url}/v1"), timeout_s=5)
    with pytest.raises(ModelUnavailableError, match="not available"):
        model.ask(PROMPT)


# --- credentials and names ---------------------------------------------------------------------------------------


@every_model
@pytest.mark.parametrize("status", [401, 403])
def test_credentials_that_are_refused_are_said_with_what_to_set(spec, status):
    """Asking again is of no use."""
    asked = Asked(spec, Failure(status))
    assert isinstance(asked.error, ModelRefusedError)
    assert "set MY_KEY" in str(asked.error)
    assert "sk-key" not in str(asked.error)


@every_model
def test_a_model_that_its_provider_does_not_know_is_said(spec):
    """By its name."""
    error = Asked(spec, Failure(404)).error
    assert isinstance(error, ModelRefusedError)
    assert spec in str(error)


def shown(request) -> str:
    """The key in whichever header its library puts it."""
    names = ("x-api-key", "x-goog-api-key", "authorization")
    (key,) = [request.headers[name].removeprefix("Bearer ") for name in names if name in request.headers]
    return key


@every_model
def test_the_key_that_was_given_is_the_one_that_is_shown(spec, monkeypatch):
    """Whatever else the environment holds."""
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "OPENAI_API_KEY", "GOOGLE_API_KEY", "OLLAMA_API_KEY"):
        monkeypatch.setenv(name, "sk-ant-oat-of-another")
    assert shown(Asked(spec, Answer(VALUE)).request) == "sk-key"


@every_model
def test_a_server_of_ones_own_choice_gets_no_header_that_the_environment_names(spec, monkeypatch):
    """They are for the library's own provider, and may hold a key to it."""
    for library in ("OPENAI", "ANTHROPIC"):
        said = "X-Ambient: foreign\nAuthorization: Bearer foreign\nX-Api-Key: foreign"
        monkeypatch.setenv(f"{library}_CUSTOM_HEADERS", said)
    monkeypatch.setenv("OPENAI_ORG_ID", "foreign")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "foreign")
    asked = Asked(spec, Answer(VALUE))
    assert asked.answer.value == VALUE
    assert "foreign" not in json.dumps(dict(asked.request.headers))


@pytest.mark.parametrize(
    ("name", "left"), [("openai", True), ("openai-chat", True), ("deepseek", False)], ids=["its own", "chat", "another"]
)
def test_an_organisation_of_openai_is_named_to_openai_alone(name, left):
    import httpx2

    request = httpx2.Request("POST", "https://provider.test", headers={"OpenAI-Organization": "org"})
    asyncio.run(connection._only_meant(name, "sk-key", Access())(request))
    assert ("openai-organization" in request.headers) == left


@pytest.mark.parametrize(("name", "left"), [("openai", True), ("openai-chat", True), ("deepseek", False)])
def test_headers_that_the_environment_has_for_openai_go_to_openai_alone(name, left, tmp_path):
    """Also a key among them."""
    import httpx2

    settings = Settings.load(
        environ={
            "HOME": str(tmp_path),
            "OPENAI_CUSTOM_HEADERS": "X-Ambient: foreign\nAuthorization: Bearer foreign\nnone",
        }
    )
    access = model_access(settings, name)
    headers = {"X-Ambient": "foreign", "Authorization": "Bearer foreign", "X-Stainless-Lang": "python"}
    request = httpx2.Request("POST", "https://provider.test", headers=headers)
    asyncio.run(connection._only_meant(name, "sk-key", access)(request))
    assert ("foreign" in json.dumps(dict(request.headers))) == left
    assert request.headers["x-stainless-lang"] == "python"
    assert left or request.headers["authorization"] == "Bearer sk-key"


def test_a_token_of_anthropic_is_told_from_a_key_by_its_form():
    """A token is a bearer's, and comes with the header that allows it."""
    token = Asked(ANTHROPIC, Answer(VALUE), key="sk-ant-oat01-abc").request
    assert token.headers["authorization"] == "Bearer sk-ant-oat01-abc"
    assert connection.OAUTH_BETA in token.headers["anthropic-beta"]
    key = Asked(ANTHROPIC, Answer(VALUE), key="sk-ant-api03-abc").request
    assert shown(key) == "sk-ant-api03-abc"
    assert connection.OAUTH_BETA not in key.headers.get("anthropic-beta", "")


def test_a_key_is_asked_for_anew_by_each_request():
    """A sign-in is renewed by whoever made it."""
    keys = iter(["first", "second"])
    with ScriptedProvider([Answer(VALUE), Answer(VALUE)]) as provider:
        model = open_model(ANTHROPIC, Access(key=lambda: next(keys), base_url=provider.url), timeout_s=10)
        model.ask(PROMPT)
        model.ask(PROMPT)
    assert [shown(request) for request in provider.requests] == ["first", "second"]


def test_a_key_that_is_missing_is_an_error_before_anything_is_asked():
    """The one that says what to set."""

    def missing():
        raise ConfigurationError("There is no key for openai: set OPENAI_API_KEY.")

    with pytest.raises(ConfigurationError, match="set OPENAI_API_KEY"):
        open_model(CHAT, Access(key=missing), timeout_s=1).ask(PROMPT)


@pytest.mark.parametrize("key", ["ключ", "sk-1\nsk-2", "“sk-1”"])
def test_a_key_that_was_copied_badly_is_said_before_anything_is_asked(key):
    """Without showing it."""
    asked = Asked(CHAT, Answer(VALUE), key=key)
    assert isinstance(asked.error, ConfigurationError)
    assert key not in str(asked.error)
    assert asked.requests == []


@pytest.mark.parametrize(
    ("spec", "access", "said"),
    [
        ("mistral:mistral-large", Access(key=lambda: "k"), r"pydantic-ai-slim\[mistral\]"),
        ("deepseek:deepseek-chat", Access(key=lambda: "k", base_url="http://127.0.0.1:9"), "openai-chat:MODEL"),
        ("vllm:qwen3", Access(key=lambda: "k"), "base_url"),
    ],
)
def test_a_provider_that_cannot_be_used_says_what_it_lacks(spec, access, said):
    """A package, or an address."""
    with pytest.raises(ConfigurationError, match=said):
        open_model(spec, access, timeout_s=1).ask(PROMPT)


def test_without_the_extra_a_model_says_what_to_install(monkeypatch):
    """At once, not when it is asked."""
    monkeypatch.setattr(connection, "find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match=r"pip install 'kept\[llm\]'"):
        open_model(CHAT, Access(), timeout_s=1)


@pytest.mark.parametrize("spec", ["gpt-5", "openai:", ":gpt-5", ""])
def test_a_name_without_provider_or_model_is_refused(spec):
    """With one that is right."""
    with pytest.raises(ConfigurationError, match="PROVIDER:MODEL"):
        open_model(spec, Access(), timeout_s=1)


# --- attachments -------------------------------------------------------------------------------------------------

PIXEL = base64.b64encode(b"\x89PNG pixel").decode()
PAGE = base64.b64encode(b"%PDF-1.7 page").decode()
IMAGE = Attachment(kind="image", url=f"data:image/png;base64,{PIXEL}")
DOCUMENT = Attachment(kind="document", url=f"data:application/pdf;base64,{PAGE}")
PHOTO = Attachment(kind="image", url="https://example.com/cat.png")
PAPER = Attachment(kind="document", url="https://example.com/paper.pdf?v=2")
LOOK = Prompt(instructions="i", content="Look.", schema=SCHEMA, max_output_tokens=100, attachments=(IMAGE,))
SEEING = (
    "gemma3",
    "llava:13b",
    "llama3.2-vision",
    "qwen2.5vl:7b",
    "qwen3-vl",
    "mistral-small3.2",
    "hf.co/x/gemma-3-4b-it-GGUF",
)
SEEING_OLLAMA, VLLM, LITELLM = "ollama:qwen3-vl:8b", "vllm:Qwen/Qwen3-VL-8B-Instruct", "litellm:gpt-4o"
GROQ, AZURE = "groq:meta-llama/llama-4-scout-17b-16e-instruct", "azure:gpt-4o"


def looked(spec, *attachments):
    """How a model was asked with them."""
    prompt = Prompt(instructions="i", content="Look.", schema=SCHEMA, max_output_tokens=100, attachments=attachments)
    asked = Asked(spec, Answer(VALUE), prompt=prompt)
    assert asked.answer is not None, asked.error
    return asked


def sent(spec, *attachments):
    """The request that held them, as text."""
    return json.dumps(looked(spec, *attachments).request.body)


@pytest.mark.parametrize("spec", [ANTHROPIC, RESPONSES, CHAT, GEMINI])
def test_images_and_documents_are_shown_to_models_that_read_them(spec):
    """With their content."""
    written = sent(spec, IMAGE, DOCUMENT)
    assert PIXEL in written
    assert PAGE in written
    assert "cannot see" not in written


@pytest.mark.parametrize("spec", [SEEING_OLLAMA, VLLM, LITELLM, GROQ, AZURE])
def test_images_are_shown_to_others_who_speak_openais_dialect(spec, monkeypatch):
    """And documents are not, for which it has no word there."""
    monkeypatch.setenv("OPENAI_API_VERSION", "2026-01-01")
    written = sent(spec, IMAGE, DOCUMENT)
    assert f"data:image/png;base64,{PIXEL}" in written
    assert PAGE not in written
    assert "document was attached here that you cannot see" in written


@pytest.mark.parametrize("spec", [ANTHROPIC, RESPONSES])
def test_an_address_is_passed_on_to_a_provider_that_opens_it_itself(spec):
    """This machine never does."""
    written = sent(spec, PHOTO, PAPER)
    assert PHOTO.url in written
    assert PAPER.url in written


@pytest.mark.parametrize(
    ("spec", "attachment"),
    [
        (GEMINI, PHOTO),  # its library would open the address from this machine
        (GEMINI, PAPER),
        (CHAT, PAPER),
        (OLLAMA, IMAGE),
        (SEEING_OLLAMA, PHOTO),
        (GROQ, PAPER),
        (ANTHROPIC, Attachment(kind="image", url="http://10.0.0.1/admin.png")),
        (ANTHROPIC, Attachment(kind="image", url="file:///etc/passwd")),
        (ANTHROPIC, Attachment(kind="document", url="https://example.com/notes.txt")),
        (ANTHROPIC, Attachment(kind="image", url="data:text/html;base64,AAAA")),
        (ANTHROPIC, Attachment(kind="image", url="data:image/png,plain")),
        (ANTHROPIC, Attachment(kind="image", url="data:image/png;base64,A")),
    ],
)
def test_what_a_model_cannot_be_shown_is_said_in_its_place(spec, attachment):
    """So that the rest is understood without it."""
    asked = looked(spec, attachment)
    written = json.dumps(asked.request.body)
    assert f"{attachment.kind} was attached here that you cannot see" in written
    assert attachment.url not in written
    assert asked.answer.unshown == [0]


def test_an_answer_says_which_of_several_were_not_shown():
    """So that nothing is believed that only a look at them could show."""
    assert looked(CHAT, PHOTO, PAPER, IMAGE).answer.unshown == [1]
    assert looked(ANTHROPIC, PHOTO, PAPER, IMAGE).answer.unshown == []


@pytest.mark.parametrize(
    ("spec", "image", "document"),
    [
        (ANTHROPIC, True, True),
        (RESPONSES, True, True),
        (CHAT, True, True),
        (GEMINI, True, True),
        (GROQ, True, False),
        (AZURE, True, False),
        ("mistral:mistral-large-2512", True, True),
        ("bedrock:us.amazon.nova-pro-v1:0", True, True),
        ("openrouter:qwen/qwen3-vl-8b-instruct", True, False),
        ("xai:grok-4", True, False),
        ("deepseek:deepseek-chat", False, False),
        ("cohere:command-a", False, False),
        (OLLAMA, False, False),
        ("ollama:gemma3:1b", False, False),
        ("ollama:gemma3n", False, False),
        ("ollama:mistral-small", False, False),
        *((f"ollama:{name}", True, False) for name in SEEING),
    ],
)
def test_whether_a_model_reads_attachments_is_known_or_denied(spec, image, document):
    """Nothing is asked for it."""
    model = open_model(spec, Access(), timeout_s=1)
    assert (model.accepts("image"), model.accepts("document")) == (image, document)


@pytest.mark.parametrize("status", [400, 404, 413, 415, 422])
@pytest.mark.parametrize("spec", [ANTHROPIC, RESPONSES, CHAT, GEMINI, SEEING_OLLAMA, GROQ])
def test_a_provider_that_refuses_may_do_so_for_what_is_attached(spec, status):
    """Because its model cannot see, say, or the image is none; nobody has to know before."""
    assert isinstance(Asked(spec, Failure(status), prompt=LOOK).error, AttachmentsRefusedError)
    assert not isinstance(Asked(spec, Failure(status)).error, AttachmentsRefusedError)


@pytest.mark.parametrize("spec", [ANTHROPIC, RESPONSES, CHAT, GEMINI, SEEING_OLLAMA, GROQ])
def test_a_question_whose_image_is_refused_is_asked_once_more_without(spec):
    """By whoever asks models: each request is reserved and recorded."""
    with ScriptedProvider([Failure(400), Answer(VALUE)]) as provider:
        model = open_model(spec, Access(key=lambda: "k", base_url=provider.url + PATHS.get(spec, "")), timeout_s=10)
        models = Models({"extraction": model}, InMemoryLedger(), clock=FixedClock(), ids=SequentialIds())
        answer = models.ask("extraction", LOOK, project="default")
    assert answer.value == {**VALUE, UNSHOWN: [0]}
    assert [PIXEL in json.dumps(request.body) for request in provider.requests] == [True, False]


@pytest.mark.parametrize("spec", [CHAT, SEEING_OLLAMA, VLLM, LITELLM])
def test_a_server_of_ones_own_may_fail_over_an_image(spec):
    """Where its model cannot see it."""
    assert isinstance(Asked(spec, Failure(500), prompt=LOOK).error, AttachmentsRefusedError)


@pytest.mark.parametrize(
    ("spec", "reply"),
    [
        (ANTHROPIC, Failure(500)),
        (RESPONSES, Failure(500)),
        (GEMINI, Failure(500)),
        (CHAT, Failure(503)),
        (CHAT, Failure(429)),
        (CHAT, Failure(401)),
        (CHAT, Failure(400, midway=True)),
        (CHAT, Prose("I see a cat.")),
        (CHAT, Broken()),
    ],
)
def test_what_fails_for_another_reason_keeps_what_is_attached(spec, reply):
    """It is asked again later, with it."""
    error = Asked(spec, reply, prompt=LOOK).error
    assert error is not None
    assert not isinstance(error, AttachmentsRefusedError)


# --- price -------------------------------------------------------------------------------------------------------


def test_a_price_is_in_whole_micro_dollars_and_never_too_low():
    """gpt-5-mini: 0.25 dollars for a million tokens read, 0.025 from the cache, 2 written."""
    model = open_model(RESPONSES, Access(), timeout_s=1)
    million = 1_000_000
    assert model.price(Usage(input_tokens=million)) == 250_000
    assert model.price(Usage(input_tokens=million, cached_tokens=million)) == 25_000
    assert model.price(Usage(output_tokens=million)) == 2_000_000
    assert model.price(Usage(input_tokens=1)) == 1
    assert model.price(Usage()) == 0


@pytest.mark.parametrize(
    ("spec", "price"),
    [
        (OLLAMA, 0),
        ("vllm:qwen3", 0),
        ("ollama:qwen3-coder:480b-cloud", None),
        ("openai:my-own", None),
        ("litellm:my-own", None),
    ],
)
def test_what_runs_on_ones_own_machine_costs_nothing_and_what_is_unknown_is_not_known(spec, price):
    """Not free, but unknown."""
    assert open_model(spec, Access(), timeout_s=1).price(Usage(input_tokens=1000, output_tokens=1000)) == price


def test_a_paid_service_is_not_taken_for_ones_own_machine():
    """Ollama's has no price that is known."""
    hosted = open_model(OLLAMA, Access(base_url="https://ollama.com/v1"), timeout_s=1)
    assert hosted.price(Usage(input_tokens=1000)) is None
