"""`kept models`: which language model does what, and whether it can be reached."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import click

from kept.cli import render
from kept.cli.failures import ERROR
from kept.cli.invocation import Invocation, pass_invocation
from kept.cli.options import command
from kept.cli.safe_text import one_line
from kept.domain.spending import MICROS_PER_DOLLAR, ModelTask, Usage, as_dollars
from kept.errors import ConfigurationError, KeptError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kept.engine.models import Models
    from kept.ports import LanguageModel, Prompt
    from kept.settings import Settings

_MILLION: Final = 1_000_000
"""Prices are told for so many tokens."""
TERMS: Final = (
    "Claude Code's sign-in is used for Anthropic's models: whether your plan allows that outside Claude Code is for "
    "Anthropic's terms to say."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A model, as a person or a program wants to know it.

    Attributes:
        tasks: What it does.
        key: Where its key comes from.
        problem: Why there is no key; empty if there is one.
        address: In place of the provider's own.
        input_price: Micro-dollars for a million tokens read; None when no price is known.
        output_price: The same of those written.
    """

    model: str
    tasks: tuple[ModelTask, ...]
    key: str
    problem: str
    address: str | None
    input_price: int | None
    output_price: int | None


@command("models", examples=["kept models", "kept models --try", "kept models --json"])
@click.option(
    "--try", "trying", is_flag=True, help="Ask each of them one short question, within the limits of spending."
)
@pass_invocation
@click.pass_context
def models(ctx: click.Context, invocation: Invocation, /, *, trying: bool) -> None:
    """Show which language model does what, and its price.

    And where its key comes from; a key itself is never shown. With --try the exit code is 1 if a model did not answer.
    """
    known = configured(invocation.settings)
    tried = _tried(invocation, known) if trying and known else {}
    if invocation.as_json:
        render.emit({"models": [asdict(model) | {"tried": tried.get(model.model)} for model in known]})
    else:
        _show(known, tried)
    if any("error" in outcome for outcome in tried.values()):
        ctx.exit(ERROR)


def configured(settings: Settings) -> list[Shown]:
    """The models that the settings name, none of them asked.

    Raises:
        ConfigurationError: An unknown provider, or the extra is not installed.
    """
    from kept.bootstrap import build_models

    return [_shown(settings, model, tasks) for model, tasks in _by_model(build_models(settings)).items()]


def _by_model(found: Mapping[ModelTask, LanguageModel]) -> dict[LanguageModel, tuple[ModelTask, ...]]:
    return {model: tuple(task for task in found if found[task] is model) for model in found.values()}


def _shown(settings: Settings, model: LanguageModel, tasks: tuple[ModelTask, ...]) -> Shown:
    from kept.bootstrap import model_access

    access = model_access(settings, model.name.partition(":")[0])
    problem = ""
    try:
        if access.key is not None:
            access.key()
    except ConfigurationError as error:
        problem = str(error)
    return Shown(
        model=model.name,
        tasks=tasks,
        key=access.source,
        problem=problem,
        address=access.base_url,
        input_price=model.price(Usage(input_tokens=_MILLION)),
        output_price=model.price(Usage(output_tokens=_MILLION)),
    )


def _tried(invocation: Invocation, known: list[Shown]) -> dict[str, dict[str, Any]]:
    """What came of one question to each model, by its name."""
    with invocation.access(known=False) as access:
        asked, project = access.platform.models, access.project
        return {model.model: _outcome(asked, model.tasks[0], project) for model in known}


def _outcome(asked: Models, task: ModelTask, project: str) -> dict[str, Any]:
    started = time.perf_counter()
    try:
        usage = asked.ask(task, _question(), project=project).usage
    except KeptError as error:
        return {"error": str(error), "code": error.code}
    model = asked.for_task(task)
    return {
        "took_s": round(time.perf_counter() - started, 3),
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "micros": model.price(usage) if model is not None else None,
    }


def _show(known: list[Shown], tried: Mapping[str, Mapping[str, Any]]) -> None:
    for model in known:
        render.say(click.style(one_line(model.model), bold=True))
        for line in render.fields(_lines(model, tried.get(model.model))):
            render.say(f"  {line}")
    if uses_sign_in(known):
        render.note(TERMS)
    if not known:
        render.note(
            "No language model is configured; rules do all the work. Set llm, such as KEPT_LLM=openai:gpt-5-mini."
        )


def uses_sign_in(known: list[Shown]) -> bool:
    """Whether another program's sign-in is used, of which its terms have a say."""
    from kept.bootstrap import SIGN_IN

    return any(model.key.startswith(SIGN_IN) for model in known)


def _lines(model: Shown, tried: Mapping[str, Any] | None) -> Iterator[tuple[str, str]]:
    yield "does", ", ".join(model.tasks)
    yield "key", model.problem or model.key
    yield "address", model.address or ""
    yield "costs", _price(model)
    if tried is not None:
        yield "tried", _said(tried)


def _price(model: Shown) -> str:
    if model.input_price is None or model.output_price is None:
        return "no price is known; its tokens are counted"
    read, written = (price / MICROS_PER_DOLLAR for price in (model.input_price, model.output_price))
    return f"{read:.2f} USD for a million tokens read, {written:.2f} USD written" if read or written else "nothing"


def _said(tried: Mapping[str, Any]) -> str:
    if "error" in tried:
        return str(tried["error"])
    cost = "" if tried["micros"] is None else f", {as_dollars(tried['micros'])}"
    tokens = f"{tried['input_tokens']:,} tokens read, {tried['output_tokens']:,} written"
    return f"answered in {tried['took_s']:.1f} s: {tokens}{cost}"


def _question() -> Prompt:
    """The smallest that shows whether a model can answer in the form that is asked for."""
    from kept.ports import Prompt

    return Prompt(
        instructions="Answer with the object that is asked for.",
        content="Are you ready?",
        schema={
            "type": "object",
            "properties": {"ready": {"type": "boolean"}},
            "required": ["ready"],
            "additionalProperties": False,
        },
        max_output_tokens=500,  # a few words, and room for models that always think first
    )
