"""The scripted providers and the scripted model that Kept ships for tests: they answer as the real ones would."""

from __future__ import annotations

import json

import anyio
import httpx2
import pytest

from kept.adapters.models import Access
from kept.adapters.models.connection import connect
from kept.domain.spending import Usage
from kept.domain.text import count_tokens
from kept.errors import ModelUnavailableError
from kept.ports import Prompt
from kept.testing.models import ScriptedModel
from kept.testing.providers import Answer, Broken, CutOff, Failure, Refusal, ScriptedProvider, Stall

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
PROMPT = Prompt(instructions="Count.", content="one two", schema=SCHEMA, max_output_tokens=50)
PATHS = {
    "anthropic:claude-haiku-4-5": "",
    "openai:gpt-5-mini": "/v1",
    "openai-chat:gpt-4o": "/v1",
    "google:gemini-2.5-flash": "",
    "ollama:qwen3": "/v1",
}


def ask_at_once(spec, reply, *, mode):
    """An answer that is not streamed, as pydantic-ai reads it."""
    from pydantic_ai.direct import model_request
    from pydantic_ai.messages import ModelRequest
    from pydantic_ai.models import ModelRequestParameters, infer_model
    from pydantic_ai.output import OutputObjectDefinition
    from pydantic_ai.tools import ToolDefinition

    parameters = ModelRequestParameters(
        output_mode=mode,
        output_tools=[ToolDefinition(name="answer", parameters_json_schema=SCHEMA, kind="output")],
        output_object=OutputObjectDefinition(json_schema=SCHEMA, name="answer"),
        allow_text_output=mode == "native",
    )

    async def ask(provider):
        access = Access(key=lambda: "sk", base_url=provider.url + PATHS[spec])
        async with connect(spec.partition(":")[0], access) as connected:
            model = infer_model(spec, lambda _: connected)
            return await model_request(
                model, [ModelRequest.user_text_prompt("Count.")], model_request_parameters=parameters
            )

    with ScriptedProvider([reply]) as provider:
        return anyio.run(ask, provider)


@pytest.mark.usefixtures("scripted_models")
@pytest.mark.parametrize("spec", PATHS)
@pytest.mark.parametrize("mode", ["tool", "native"])
def test_an_answer_at_once_is_read_as_one_in_a_stream(spec, mode):
    """By the tool or as text, with what it cost."""
    response = ask_at_once(spec, Answer({"n": 2}, input_tokens=30, output_tokens=7, cached_tokens=10), mode=mode)
    written = response.tool_calls[0].args_as_dict() if mode == "tool" else json.loads(response.text)
    assert written == {"n": 2}
    used = response.usage
    assert (used.input_tokens, used.output_tokens, used.cache_read_tokens) == (30, 7, 10)


@pytest.mark.usefixtures("scripted_models")
@pytest.mark.parametrize("spec", PATHS)
@pytest.mark.parametrize(("reply", "reason"), [(CutOff({"n": 2}), "length"), (Refusal(), "content_filter")], ids=str)
def test_an_end_before_the_end_has_its_reason(spec, reply, reason):
    """As each provider writes it."""
    assert ask_at_once(spec, reply, mode="native").finish_reason == reason


def post(provider, path="/v1/chat/completions", **body):
    return httpx2.post(f"{provider.url}{path}", json=body, headers={"X-Who": "me"}, timeout=10, trust_env=False)


def test_a_provider_keeps_what_it_was_asked_and_follows_its_script():
    """Status 500 after its end, 404 for what no provider has."""
    with ScriptedProvider([Failure(429, retry_after_s=9), Answer({"n": 1})]) as provider:
        busy = post(provider, model="m")
        assert (busy.status_code, busy.headers["retry-after"]) == (429, "9")
        assert post(provider).json()["choices"][0]["message"]["content"] == '{"n": 1}'
        assert post(provider).status_code == 500
    assert (provider.requests[0].path, provider.requests[0].body) == ("/v1/chat/completions", {"model": "m"})
    assert provider.requests[0].headers["x-who"] == "me"
    with ScriptedProvider(lambda _: Answer({})) as provider:
        assert post(provider, "/v1/nothing").status_code == 404


def test_a_script_may_depend_on_what_is_asked():
    """It is given the request."""
    with ScriptedProvider(lambda request: Answer({"said": request.body["model"]})) as provider:
        assert "gpt-x" in post(provider, model="gpt-x").text


@pytest.mark.parametrize("reply", [Broken(), Broken(midway=True), Stall()], ids=str)
def test_what_has_no_middle_breaks_at_the_start(reply):
    """An answer at once is there or not."""
    with ScriptedProvider([reply]) as provider, pytest.raises(httpx2.TransportError):
        post(provider)


# --- the model in this process -----------------------------------------------------------------------------------


def test_a_scripted_model_answers_in_turn_and_keeps_what_it_was_asked():
    """Errors are raised as they stand."""
    model = ScriptedModel([{"n": 1}, ModelUnavailableError("down"), {"n": 2}])
    assert model.ask(PROMPT).value == {"n": 1}
    with pytest.raises(ModelUnavailableError, match="down"):
        model.ask(PROMPT)
    assert model.ask(PROMPT).value == {"n": 2}
    assert model.prompts == [PROMPT] * 3
    with pytest.raises(AssertionError, match="script of 3 answers"):
        model.ask(PROMPT)


def test_a_scripted_model_may_answer_by_the_prompt():
    """From a function."""
    model = ScriptedModel(lambda prompt: {"words": len(prompt.content.split())})
    assert model.ask(PROMPT).value == {"words": 2}


def test_a_scripted_model_counts_and_has_the_price_that_it_was_given():
    """Dollars for a million tokens are micro-dollars for one."""
    usage = ScriptedModel([{"n": 1}]).ask(PROMPT).usage
    assert usage.input_tokens == sum(map(count_tokens, ("Count.", "one two", json.dumps(SCHEMA))))
    assert usage.output_tokens == count_tokens('{"n": 1}')
    assert ScriptedModel([]).price(Usage(input_tokens=10)) is None
    assert ScriptedModel([], price_per_million=2.5).price(Usage(input_tokens=10, output_tokens=10)) == 50


def test_a_scripted_model_reads_what_it_is_said_to():
    """And has the name that it was given."""
    model = ScriptedModel([], name="scripted:eyes", accepts=["image"])
    assert (model.name, model.accepts("image"), model.accepts("document")) == ("scripted:eyes", True, False)
