"""Language models of every provider that pydantic-ai knows; the extra is `kept[llm]`.

An answer is streamed: a provider that falls silent is noticed before the time is over, and what a broken answer cost is
known. It comes as the call of a tool whose parameters are the schema, or as JSON where the model holds to a schema by
itself; either way it is held against the schema here.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from kept.adapters.models.access import Access
from kept.adapters.models.connection import complete, connect, told
from kept.adapters.models.costs import LOCAL, counted, price
from kept.domain.memory import Attachment, AttachmentKind
from kept.domain.spending import Usage
from kept.domain.text import clean, count_tokens
from kept.errors import AttachmentsRefusedError, KeptError, ModelAnswerError
from kept.ports import ModelAnswer, Prompt

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelRequest, ModelResponse, UserContent
    from pydantic_ai.models import Model, ModelRequestParameters
    from pydantic_ai.settings import ModelSettings

__all__ = ["PydanticAIModel"]

STALL_S: Final = 30.0
"""Longest silence within an answer that has begun. Providers write many times a second, and thinking is switched off."""

ANSWER: Final = "answer"
"""Name of the tool whose call is the answer."""

_CARRIED: Final[Sequence[tuple[str, Mapping[AttachmentKind, bool]]]] = (
    ("anthropic google-cloud mistral openai openai-responses", {"image": True, "document": True}),
    ("azure-responses openai-chat", {"image": True, "document": False}),
    ("azure groq litellm openrouter vllm xai", {"image": True}),
    ("bedrock google", {"image": False, "document": False}),
    ("alibaba bedrock-mantle crusoe fireworks github-copilot heroku huggingface meta moonshotai", {"image": False}),
    ("nebius ollama ovhcloud sambanova snowflake together vercel zai", {"image": False}),
)
"""What providers' requests can carry, and whether the provider itself fetches an address of it. Where pydantic-ai would
fetch it, from this machine, the content must be there: an address from a message is never opened here. Which of a provider's
models can see, pydantic-ai's profiles say of none: one that cannot refuses, and is asked once more without. Documents are left
out where they would cost what no count of tokens shows (OpenRouter has others read them) or leave a copy (xAI keeps one)."""
_READS: Final = {provider: kinds for providers, kinds in _CARRIED for provider in providers.split()}
_SEEING: Final = re.compile(
    r"llava|vision|moondream|minicpm-[vo]|pixtral|-ocr|[\d.-]vl\b|gemma-?[34](?!n|.*\b(?:270m|1b)\b)|llama-?4|gemini"
    r"|mistral-small-?3\.[12]|mistral-large-3|ministral-3|devstral-small-2|qwen-?3\.[5-9]|kimi-k2\.[5-9]|glm-[\d.]+v"
)
"""Names of models at Ollama that can see. With others, versions of it pass over an image without a word, and no refusal tells; who
knows better names the model as `openai-chat:MODEL`."""
_REFUSALS: Final = frozenset({400, 404, 413, 415, 422})
"""How providers refuse an image or document; 404 is OpenRouter's word for a model that has no eyes."""
_OWN: Final = frozenset({"litellm", "ollama", "openai-chat", "vllm"})
"""What runs on servers of one's own, the third where it has an address."""
_FAILED: Final = 500
"""How some of these answer an image that they cannot read: llama.cpp without its projector."""
_PDF: Final = "application/pdf"
_MEDIA: Final[Mapping[AttachmentKind, tuple[str, ...]]] = {"image": ("image/",), "document": (_PDF, "text/plain")}
"""How the media types of each kind begin, as far as all of these providers read them."""

_UNSEEN: Final[Mapping[AttachmentKind, str]] = {
    "image": "(An image was attached here that you cannot see.)",
    "document": "(A document was attached here that you cannot see.)",
}

_FENCED: Final = re.compile(r"\s*```(?:json)?\s*\n(.*?)\n?\s*```\s*", re.DOTALL)


class PydanticAIModel:
    """One model of one provider. Each `ask` has connections of its own, so that any thread may ask."""

    def __init__(
        self, provider: str, model: str, access: Access, *, timeout_s: float, temperature: float = 0.0
    ) -> None:
        """Nothing is imported or connected yet.

        Args:
            provider: As pydantic-ai calls it.
            model: As the provider calls it.
            access: How it is reached.
            timeout_s: How long an answer may take, in seconds.
            temperature: For models that take one.
        """
        self._provider = provider
        self._model = model
        self._access = access
        self._timeout_s = timeout_s
        self._temperature = temperature

    @property
    def name(self) -> str:
        return f"{self._provider}:{self._model}"

    def accepts(self, kind: AttachmentKind) -> bool:
        sees = self._provider != "ollama" or kind != "image" or _SEEING.search(self._model.lower())
        return bool(sees) and kind in _READS.get(self._provider, {})

    def price(self, usage: Usage) -> int | None:
        return price(self._provider, self._model, self._access, usage)

    def ask(self, prompt: Prompt) -> ModelAnswer:
        async def ask() -> ModelAnswer:
            return await self._ask(prompt)

        return complete(ask)

    async def _ask(self, prompt: Prompt) -> ModelAnswer:
        from pydantic_ai.direct import model_request_stream
        from pydantic_ai.models import infer_model

        usage = Usage()
        attached = self._attached(prompt)
        try:
            async with connect(self._provider, self._access) as provider:
                model = infer_model(self.name, lambda _: provider)
                async with model_request_stream(
                    model,
                    [_request(prompt, attached)],
                    model_settings=self._settings(model, prompt),
                    model_request_parameters=_parameters(model, prompt, by_grammar=self._provider in LOCAL),
                    instrument=False,
                ) as stream:
                    try:
                        await _read_out(aiter(stream))
                    finally:
                        usage = counted(stream.get().usage)
                    response = stream.get()
        except Exception as error:
            known = told(error, self.name, self._access, usage)
            if known is None:
                raise
            raise self._over_attachments(error, known) if prompt.attachments else known from None
        value = self._value(response, prompt, usage)
        return ModelAnswer(
            value=value,
            usage=usage if usage.tokens else _estimate(prompt, value),
            unshown=[number for number, content in enumerate(attached) if isinstance(content, str)],
        )

    def _attached(self, prompt: Prompt) -> list[UserContent]:
        """The attachments as they are sent; in place of what cannot be, a text that says so."""
        return [
            _sendable(attachment, self._provider) if self.accepts(attachment.kind) else _UNSEEN[attachment.kind]
            for attachment in prompt.attachments
        ]

    def _over_attachments(self, error: Exception, known: KeptError) -> KeptError:
        """The failure of a question with attachments; one of its own kind where it may have failed for them alone, before any answer."""
        from pydantic_ai.exceptions import UserError

        status = getattr(error, "status_code", None)
        is_own = self._provider in _OWN and (self._provider != "openai-chat" or self._access.base_url is not None)
        refused = status in _REFUSALS or (is_own and status == _FAILED)
        if isinstance(error, UserError) or (refused and not getattr(error, "in_stream", False)):
            return AttachmentsRefusedError(str(known))
        return known

    def _settings(self, model: Model, prompt: Prompt) -> ModelSettings:
        """What the model can take of: a short answer, in time, without thinking, in the likeliest words, asked once."""
        from pydantic_ai.settings import ModelSettings

        profile: Mapping[str, Any] = model.profile
        thinks = profile.get("openai_supports_reasoning") and not profile.get("openai_supports_reasoning_effort_none")
        settings = ModelSettings(
            max_tokens=prompt.max_output_tokens, request_timeout=self._timeout_s, timeout=self._timeout_s, max_retries=0
        )
        settings["thinking"] = False
        if not thinks and not profile.get("anthropic_disallows_sampling_settings"):
            settings["temperature"] = self._temperature
        for ignored in model.unsupported_settings & settings.keys():
            del settings[ignored]
        return settings

    def _value(self, response: ModelResponse, prompt: Prompt, usage: Usage) -> Mapping[str, Any]:
        """The object that was answered.

        Raises:
            ModelAnswerError: There is none that fits the schema.
        """
        value, fault = _parsed(response)
        fault = fault or _misfit(value, prompt.least or prompt.schema)
        if fault:
            spent = {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens}
            raise ModelAnswerError(f"{self.name} {fault}.", **spent)
        found: Mapping[str, Any] = json.loads(json.dumps(value), parse_float=_number)
        return found


# --- what is asked -----------------------------------------------------------------------------------------------


def _request(prompt: Prompt, attached: Sequence[UserContent]) -> ModelRequest:
    from pydantic_ai.messages import ModelRequest, UserPromptPart

    text = clean(prompt.content)
    parts = [UserPromptPart(content=[text, *attached] if attached else text)]
    return ModelRequest(parts=parts, instructions=clean(prompt.instructions))


def _sendable(attachment: Attachment, provider: str) -> UserContent:
    """An attachment as the provider takes it; what it cannot take is said to be missing."""
    import mimetypes

    from pydantic_ai.messages import BinaryContent, DocumentUrl, ImageUrl

    kind, url = attachment.kind, attachment.url
    reads = _READS.get(provider, {})
    if kind in reads and url.startswith("data:"):
        try:
            content = BinaryContent.from_data_uri(url)
        except ValueError:
            content = None
        if content is not None and content.media_type.startswith(_MEDIA[kind]):
            return content
    elif reads.get(kind) and url.startswith("https://"):
        media, _ = mimetypes.guess_type(url.partition("?")[0])
        if kind == "image":
            return ImageUrl(url=url, media_type=media or "image/jpeg")
        if media in {None, _PDF}:
            return DocumentUrl(url=url, media_type=_PDF)
    return _UNSEEN[kind]


def _parameters(model: Model, prompt: Prompt, *, by_grammar: bool) -> ModelRequestParameters:
    """The schema, to be held to in the way that suits the model."""
    from pydantic_ai.models import ModelRequestParameters
    from pydantic_ai.output import OutputMode, OutputObjectDefinition
    from pydantic_ai.tools import ToolDefinition

    profile: Mapping[str, Any] = model.profile
    schema = dict(prompt.schema)
    by_schema = profile.get("supports_json_schema_output", False)
    by_tool = profile.get("supports_tools", True)
    mode: OutputMode = "auto" if by_tool else "prompted"
    if by_schema and (by_grammar or not by_tool):
        mode = "native"
    return ModelRequestParameters(
        output_mode=mode,
        output_tools=[ToolDefinition(name=ANSWER, parameters_json_schema=schema, kind="output")],
        output_object=OutputObjectDefinition(json_schema=_spelled_out(schema), name=ANSWER),
        allow_text_output=mode != "auto",
    )


def _spelled_out(schema: Any) -> Any:
    """A schema with each list of types as alternatives: Anthropic's library takes no list of them."""
    if isinstance(schema, list):
        return [_spelled_out(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {name: _spelled_out(part) for name, part in schema.items()}
    types = inner.pop("type", None)
    if not isinstance(types, list):
        return inner if types is None else {"type": types, **inner}
    return {"anyOf": [{"type": "null"} if kind == "null" else {"type": kind, **inner} for kind in types]}


# --- what is answered --------------------------------------------------------------------------------------------


async def _read_out(events: AsyncIterator[object]) -> None:
    """Take in the whole answer; once it has begun it may not fall silent for long."""
    from anyio import fail_after

    silence: float | None = None
    while True:
        with fail_after(silence):
            if await anext(events, None) is None:
                return
        silence = STALL_S


def _estimate(prompt: Prompt, value: Mapping[str, Any]) -> Usage:
    """What a provider that counts nothing must have read and written, so that limits hold for it as well."""
    read = (prompt.instructions, prompt.content, json.dumps(prompt.schema))
    return Usage(input_tokens=sum(map(count_tokens, read)), output_tokens=count_tokens(json.dumps(value)))


def _parsed(response: ModelResponse) -> tuple[Any, str]:
    """The answered value, and what is wrong with the answer; empty if nothing is."""
    if response.finish_reason == "content_filter":
        return None, "declined to answer"
    if response.finish_reason == "length":
        return None, "was cut off at its longest answer"
    calls = response.tool_calls
    if len(calls) > 1 or any(call.tool_name != ANSWER for call in calls):
        return None, "called a tool that it was not given, or more than one"
    written = calls[0].args if calls else _unfenced(response.text or "")
    if not isinstance(written, str):
        return written, ""
    try:
        return json.loads(written), ""
    except (ValueError, RecursionError):
        return None, "answered what is no JSON"


def _number(text: str) -> int | float:
    """What a schema calls an integer, which may be written as 1.0, as one."""
    number = float(text)
    return int(number) if number.is_integer() else number


def _unfenced(text: str) -> str:
    """Without the fence that models put around code."""
    fenced = _FENCED.fullmatch(text)
    return fenced.group(1) if fenced else text


def _misfit(value: Any, schema: Mapping[str, Any]) -> str:
    """Where a value does not fit its schema; empty if it does."""
    import jsonschema_rs

    try:
        json.dumps(value, allow_nan=False)
        error = next(jsonschema_rs.validator_for(dict(schema)).iter_errors(value), None)
    except (ValueError, RecursionError):
        return "answered with numbers that are none, or too deep to be read"
    if error is None:
        return "" if isinstance(value, dict) else "answered with something other than an object"
    return f"answered what does not fit the schema at /{_path(error.instance_path)} ({_path(error.schema_path[-1:])})"


def _path(steps: Sequence[str | int]) -> str:
    return "/".join(map(str, steps))
