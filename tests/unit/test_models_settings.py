"""Which model does what, how it is reached, and where its key comes from."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from kept import bootstrap
from kept.adapters.models.access import KEYLESS, claude_code_token
from kept.bootstrap import build_embedder, build_models, model_access
from kept.domain.scope import Scope
from kept.domain.spending import MODEL_TASKS
from kept.errors import ConfigurationError
from kept.settings import PROVIDERS, SELF_HOSTED, TEAM_SETTINGS, Settings, setting_names
from kept.testing.fakes import START, FixedClock

OTHERS = {
    "openai-decisions",
    "google-decisions",
    "system-one",
    "typesafe",
    "elevenlabs",
    "sentence-transformers",
    "github",
}
"""What pydantic-ai knows besides: they decide or speak, run in this process, or are no longer kept up."""


def load(tmp_path, environ=None, **given):
    return Settings.load(environ=environ or {}, config=tmp_path / "none.toml", **given)


@pytest.fixture
def access(tmp_path):
    """How a provider is reached: `access("anthropic", {"ANTHROPIC_API_KEY": …}, llm=…)`."""
    return lambda provider, environ=None, **given: model_access(load(tmp_path, environ, **given), provider)


# --- which model -------------------------------------------------------------------------------------------------


def test_without_a_model_there_is_none(tmp_path):
    """And nothing is imported for one."""
    assert build_models(load(tmp_path)) == {}


def test_one_model_does_everything_unless_a_task_has_its_own(tmp_path):
    """A cheap one for what is often, say."""
    models = build_models(load(tmp_path, llm="anthropic:claude-opus-5-5", llm_extraction="google:gemini-3.8-flash"))
    named = {task: model.name for task, model in models.items()}
    assert named == dict.fromkeys(MODEL_TASKS, "anthropic:claude-opus-5-5") | {"extraction": "google:gemini-3.8-flash"}
    assert len(set(map(id, models.values()))) == 2


def test_a_task_may_have_a_model_alone(tmp_path):
    """The others are done by rule."""
    assert set(build_models(load(tmp_path, llm_summary="ollama:qwen3"))) == {"summary"}


def test_opening_models_imports_no_library_of_them(tmp_path, start_python):
    """That takes a second, and most commands ask none."""
    script = (
        "import sys; from pathlib import Path; from kept.bootstrap import build_embedder, build_models;"
        "from kept.settings import Settings;"
        f"s = Settings.load(config=Path({str(tmp_path / 'none.toml')!r}), llm='openai:gpt-5', embedder='openai:e');"
        "build_models(s)['summary'].accepts('image'), build_embedder(s);"
        "print([name for name in ('pydantic_ai', 'openai', 'httpx', 'genai_prices', 'jsonschema_rs', 'asyncio') if name in sys.modules])"
    )
    process = start_python(script)
    assert process.communicate(timeout=30)[0].strip() == "[]"


@pytest.mark.parametrize("spec", ["gpt-5", "nobody:gpt-5", "wordllama"])
def test_an_unknown_provider_is_refused_with_those_there_are(tmp_path, spec):
    """At the start, by name."""
    with pytest.raises(ConfigurationError, match=rf"{spec}.*anthropic.*openai"):
        build_models(load(tmp_path, llm=spec))


def test_a_provider_that_is_nearly_known_is_asked_for(tmp_path):
    with pytest.raises(ConfigurationError, match="Did you mean 'openai'"):
        build_models(load(tmp_path, llm="opnai:gpt-5"))


def test_a_setting_that_is_nearly_known_is_asked_for(tmp_path):
    """Instead of a list of all there are."""
    with pytest.raises(ConfigurationError, match="Did you mean 'cache_mb'") as refused:
        load(tmp_path, cache_mbs=1)
    assert "recall_ms" not in str(refused.value)


@pytest.mark.slow  # imports every provider's library
def test_every_provider_of_the_library_is_known():
    """And none that it does not know."""
    providers = pytest.importorskip("pydantic_ai.providers")
    models = pytest.importorskip("pydantic_ai.models")
    for name in PROVIDERS:
        try:
            providers.infer_provider_class(name)
        except ImportError:  # its package is not installed, so it is known
            continue
    offered = {name.partition(":")[0] for name in models.known_model_names()}
    plain = {name for name in offered if not name.startswith("gateway/")} - {"test"}
    assert plain <= PROVIDERS.keys() | OTHERS
    assert PROVIDERS.keys().isdisjoint(OTHERS)
    assert PROVIDERS.keys() >= SELF_HOSTED


# --- how it is reached -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("provider", "environ", "key", "base_url"),
    [
        ("openai", {"OPENAI_API_KEY": "sk-1"}, "sk-1", None),
        ("openai-chat", {"OPENAI_API_KEY": " sk-1 ", "OPENAI_BASE_URL": "https://eu.api.openai.com/v1"}, "sk-1", ...),
        ("google", {"GOOGLE_API_KEY": "g-1", "GEMINI_API_KEY": "g-2"}, "g-1", None),
        ("google", {"GOOGLE_API_KEY": "", "GEMINI_API_KEY": "g-2"}, "g-2", None),
        ("groq", {"GROQ_API_KEY": "gsk"}, "gsk", None),
        ("ollama", {}, KEYLESS, None),
        ("ollama", {"OLLAMA_BASE_URL": "http://gpu:11434", "OLLAMA_API_KEY": "o"}, "o", ...),
        ("anthropic", {"ANTHROPIC_API_KEY": "sk-ant-api", "ANTHROPIC_BASE_URL": "https://proxy"}, "sk-ant-api", ...),
    ],
)
def test_a_providers_own_variables_are_understood(access, provider, environ, key, base_url):
    """Under the names that everybody uses."""
    found = access(provider, environ)
    expected = next((url for name, url in environ.items() if name.endswith("_URL")), None) if base_url is ... else None
    assert (found.key(), found.base_url) == (key, expected)


def test_what_is_set_for_kept_wins(access):
    """Over the provider's own variables."""
    given = {"llm": "openai:gpt-5", "llm_api_key": "sk-kept", "llm_base_url": "http://127.0.0.1:1234/v1"}
    found = access("openai", {"OPENAI_API_KEY": "sk-1", "OPENAI_BASE_URL": "https://elsewhere"}, **given)
    assert (found.key(), found.base_url, found.source) == ("sk-kept", "http://127.0.0.1:1234/v1", "KEPT_LLM_API_KEY")


def test_a_key_is_never_shown_to_a_server_that_is_not_its_providers(access):
    """A compatible server is somebody else's; it gets the key that is meant for it, or none."""
    for provider in ("openai", "anthropic"):
        environ = {"OPENAI_API_KEY": "sk-1", "ANTHROPIC_API_KEY": "sk-2"}
        given = {"llm": f"{provider}:m", "llm_base_url": "http://127.0.0.1:1234", "anthropic_token": "sk-3"}
        found = access(provider, environ, **given)
        assert (found.key(), found.source) == (KEYLESS, "none is sent")


def test_an_address_and_a_key_are_those_of_the_provider_that_is_named(access):
    """Not of another that does one of the tasks."""
    given = {"llm": "openai:local", "llm_base_url": "http://127.0.0.1:1234", "llm_api_key": "sk-local"}
    found = access("anthropic", {"ANTHROPIC_API_KEY": "sk-ant-api"}, **given)
    assert (found.key(), found.base_url) == ("sk-ant-api", None)
    assert access("openai", llm_summary="openai:local", llm_api_key="sk-local").key() == "sk-local"
    assert access("openai-chat", llm="openai:gpt-5", llm_api_key="sk-both").key() == "sk-both"


def test_an_embedder_is_reached_by_settings_of_its_own(tmp_path):
    """Nothing of the language model's is shown to it."""
    given = {"embedder": "openai:text-embedding-3-small", "llm": "openai:gpt-5", "llm_api_key": "sk-llm"}
    found = build_embedder(load(tmp_path, **given, embedder_api_key="sk-emb", embedder_base_url="http://127.0.0.1:1"))
    assert (found._access.key(), found._access.base_url) == ("sk-emb", "http://127.0.0.1:1")
    found = build_embedder(load(tmp_path, {"OPENAI_API_KEY": "sk-1"}, **given))
    assert found._access.key() == "sk-1"


@pytest.mark.parametrize("provider", sorted(PROVIDERS))
def test_a_missing_key_says_what_to_set(access, provider):
    """When it is needed; a provider of one's own needs none, and some have ways of their own."""
    found = access(provider)
    if provider in SELF_HOSTED:
        assert found.key() == KEYLESS
    elif not PROVIDERS[provider].keys:
        assert found.key is None
    else:
        with pytest.raises(ConfigurationError, match=f"{provider}.*{PROVIDERS[provider].keys[0]}"):
            found.key()


# --- Anthropic's ways --------------------------------------------------------------------------------------------


@pytest.fixture
def sign_in(tmp_path, monkeypatch):
    """Writes Claude Code's sign-in: `sign_in(held, hours=1)`; its path."""
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path))

    def write(held="sk-ant-oat-file", *, hours=1.0, now=None):
        expires = (now or datetime.now(UTC)) + timedelta(hours=hours)
        entry = {"accessToken": held, "refreshToken": "r", "expiresAt": int(expires.timestamp() * 1000)}
        path = tmp_path / ".credentials.json"
        path.write_text(json.dumps({"claudeAiOauth": entry}))
        return path

    return write


def test_anthropic_is_reached_by_token_then_sign_in_then_key(access, sign_in):
    """The first of the three that is there."""
    sign_in()
    environ = {"KEPT_ANTHROPIC_TOKEN": "sk-ant-oat-set", "ANTHROPIC_API_KEY": "sk-ant-api"}
    assert access("anthropic", environ, claude_code_sign_in=True).key() == "sk-ant-oat-set"
    del environ["KEPT_ANTHROPIC_TOKEN"]
    assert access("anthropic", environ, claude_code_sign_in=True).key() == "sk-ant-oat-file"
    assert access("anthropic", environ).key() == "sk-ant-api"


def test_a_sign_in_that_is_not_there_leaves_the_key_its_turn(access, sign_in):
    """Switched on or not: the first that is there counts. Without a key it is the sign-in that is missed."""
    path = sign_in()
    path.unlink()
    assert access("anthropic", {"ANTHROPIC_API_KEY": "sk-ant-api"}, claude_code_sign_in=True).key() == "sk-ant-api"
    with pytest.raises(ConfigurationError, match="sign-in is not at"):
        access("anthropic", claude_code_sign_in=True).key()


def test_a_sign_in_that_has_expired_is_not_passed_over_in_silence(access, sign_in):
    """It is there; whom the calls are charged to does not change by itself."""
    sign_in(hours=-1)
    found = access("anthropic", {"ANTHROPIC_API_KEY": "sk-ant-api"}, claude_code_sign_in=True)
    with pytest.raises(ConfigurationError, match="expired"):
        found.key()


def test_a_sign_in_is_used_only_where_that_is_switched_on(access, sign_in):
    """Its terms are the user's to accept."""
    sign_in()
    with pytest.raises(ConfigurationError, match="KEPT_ANTHROPIC_TOKEN or ANTHROPIC_API_KEY"):
        access("anthropic").key()


def test_a_sign_in_that_was_renewed_is_read_again(access, sign_in):
    """Whoever made it renews it, while a server runs."""
    sign_in("first")
    found = access("anthropic", claude_code_sign_in=True)
    assert found.key() == "first"
    sign_in("second")
    assert found.key() == "second"
    assert "Claude Code's sign-in" in found.source


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "keychain"),
        ("{", "cannot be read"),
        ("\xff", "cannot be read"),
        ("[]", "holds no sign-in"),
        ("{}", "holds no sign-in"),
        ('{"claudeAiOauth": {}}', "holds no sign-in"),
        ('{"claudeAiOauth": {"accessToken": ""}}', "holds no sign-in"),
        ('{"claudeAiOauth": {"accessToken": 5}}', "holds no sign-in"),
        ('{"claudeAiOauth": {"accessToken": "t", "expiresAt": 1000}}', "expired at 1970-01-01"),
    ],
)
def test_a_sign_in_that_cannot_be_used_says_why_and_what_else_there_is(tmp_path, content, said):
    """Missing, broken, empty or expired."""
    path = tmp_path / "sign-in.json"
    if content is not None:
        path.write_bytes(content.encode("latin-1"))
    with pytest.raises(ConfigurationError, match=said) as caught:
        claude_code_token(path, FixedClock())
    assert "KEPT_ANTHROPIC_TOKEN" in str(caught.value)


@pytest.mark.parametrize(("hours", "usable"), [(0.001, True), (0, False)])
def test_a_sign_in_counts_until_it_expires(sign_in, hours, usable):
    """To the moment."""
    path = sign_in("token", hours=hours, now=START)
    if usable:
        assert claude_code_token(path, FixedClock()) == "token"
    else:
        with pytest.raises(ConfigurationError, match="expired"):
            claude_code_token(path, FixedClock())


# --- secrets -----------------------------------------------------------------------------------------------------


def test_nothing_that_is_printed_shows_a_key(tmp_path):
    """Neither settings nor how a provider is reached."""
    secret = ("llm_api_key", "anthropic_token", "embedder_api_key")
    settings = load(tmp_path, {"OPENAI_API_KEY": "sk-hidden"}, **dict.fromkeys(secret, "sk-hidden"))
    assert "hidden" not in repr(settings)
    assert "hidden" not in repr([model_access(settings, provider) for provider in PROVIDERS])


def test_a_repository_chooses_no_model_and_no_key():
    """Whoever wrote it may be anybody."""
    chosen = {name for name in setting_names() if name.startswith(("llm", "embedder", "anthropic", "claude_code_sign"))}
    assert len(chosen) >= 14
    assert chosen.isdisjoint(TEAM_SETTINGS)


def test_a_providers_variables_are_no_settings(tmp_path):
    """No file and no caller sets them."""
    file = tmp_path / "kept.toml"
    file.write_text("provider_variables = {OPENAI_API_KEY = 'x'}")
    with pytest.raises(ConfigurationError, match="unknown setting 'provider_variables'"):
        Settings.load(environ={}, config=file)


@pytest.mark.parametrize(("given", "expected"), [("0", 0.0), (0.7, 0.7), ("2", 2.0)])
def test_a_temperature_may_be_nought(tmp_path, given, expected):
    """The likeliest words are the default."""
    assert load(tmp_path, llm_temperature=given).llm_temperature == expected


@pytest.mark.parametrize("given", ["-1", "2.1", "nan", "hot"])
def test_a_temperature_that_no_provider_takes_is_refused(tmp_path, given):
    """With what is right."""
    with pytest.raises(ConfigurationError, match="from 0 to 2"):
        load(tmp_path, llm_temperature=given)


def test_the_names_of_tasks_and_their_settings_agree():
    """Each task has a setting, so that no task is left to the default by a slip."""
    assert {f"llm_{task}" for task in MODEL_TASKS} <= set(setting_names())


@pytest.mark.parametrize(
    ("task", "reads"), [("llm", True), ("llm_extraction", True), ("llm_summary", False), ("llm_contradiction", False)]
)
def test_what_is_added_waits_for_a_model_only_where_one_reads(task, reads):
    """Else each add left a job that nobody can do."""
    settings = Settings(database="memory://", user_id="u", **{task: "ollama:qwen3"})
    service = bootstrap.build(settings)
    try:
        added = service.add(Scope(user_id="u"), "I moved to Lisbon in May.")
        assert bool(added.extractions) is reads
    finally:
        service.close()
