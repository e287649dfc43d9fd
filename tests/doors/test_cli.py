"""The command line in process: what each command prints, for people and for programs."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from kept.adapters.readers import reader_names
from kept.cli.app import SECTIONS, cli
from kept.cli.options import KeptCommand
from kept.cli.transfer import FORMATS
from kept.engine.service import Service
from kept.errors import NotFoundError, StoreBusyError

EXAMPLES = Path(__file__).parents[2] / "examples"
EARLIER_STORES = Path(__file__).parents[1] / "migrations" / "stores"
COMMANDS = [name for commands in SECTIONS.values() for name in commands]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Gives a function that runs a command line in a store of the test's own, as user ana."""
    monkeypatch.setenv("KEPT_DATABASE", str(tmp_path / "kept.db"))
    monkeypatch.setenv("KEPT_CONFIG", str(tmp_path / "kept.toml"))
    monkeypatch.setenv("KEPT_USER_ID", "ana")
    monkeypatch.chdir(tmp_path)

    def run_command(*arguments: object, stdin: str | bytes | None = None):
        return CliRunner().invoke(cli, [str(argument) for argument in arguments], input=stdin)

    return run_command


@pytest.fixture
def shape(run):
    """Gives a function that runs a command line with --json and returns the document; the exit code must be 0."""

    def run_command(*arguments: object, stdin: str | bytes | None = None):
        result = run(*arguments, "--json", stdin=stdin)
        assert result.exit_code == 0, result.stderr
        return json.loads(result.stdout)

    return run_command


@pytest.fixture
def remember(shape):
    """Gives a function that stores one text, and returns its id."""

    def store(text: str, *options: object) -> str:
        return shape("add", text, *options)["results"][0]["id"]

    return store


# --- help --------------------------------------------------------------------------------------------------------


def every_command():
    """Each command by its words; those of a group one by one."""
    for name in COMMANDS:
        command = cli.get_command(None, name)
        if isinstance(command, click.Group):
            yield from ((f"{name} {inner}", command.commands[inner]) for inner in command.commands)
        else:
            yield name, command


EVERY_COMMAND = dict(every_command())


@pytest.mark.parametrize("name", EVERY_COMMAND)
def test_every_command_has_help_and_an_example(name, run):
    result, command = run(*name.split(), "--help"), EVERY_COMMAND[name]
    assert result.exit_code == 0
    assert isinstance(command, KeptCommand)
    assert command.help
    assert command.examples
    assert all(f"kept {name}" in example for example in command.examples)
    assert all(example in result.stdout for example in command.examples)


@pytest.mark.parametrize("name", EVERY_COMMAND)
def test_every_option_has_help(name):
    command = EVERY_COMMAND[name]
    assert [option.name for option in command.params if option.param_type_name == "option" and not option.help] == []


def test_group_help_shows_every_command_with_a_whole_sentence(run):
    lines = run("--help").stdout.splitlines()
    for name in COMMANDS:
        (line,) = [line for line in lines if line.split()[:1] == [name]]
        assert line.endswith(".")
        assert not line.endswith("...")


@pytest.mark.parametrize("name", ["events", "keys", "links", "projects", "proposals", "retention", "webhooks"])
def test_what_a_group_can_do_is_shown_in_whole_sentences(name, run):
    _, commands = run(name, "--help").stdout.split("Commands:")
    assert "..." not in commands


def test_import_takes_every_format():
    """The names on the command line are those of the readers."""
    assert reader_names() == FORMATS


def test_version_is_the_packages(run):
    import kept

    assert run("--version").stdout == f"kept {kept.__version__}\n"


# --- remember ----------------------------------------------------------------------------------------------------


def test_add_prints_id_and_text(run):
    result = run("add", "I", "prefer", "TypeScript.")
    assert result.exit_code == 0
    assert result.stdout.startswith("added  ")
    assert result.stdout.endswith("I prefer TypeScript.\n")


def test_add_shape(shape):
    added = shape("add", "I prefer TypeScript.")
    assert added.keys() == {"results", "superseded", "skipped_messages", "operation_id"}
    assert added["results"][0].items() >= {"memory": "I prefer TypeScript.", "event": "ADD", "related": []}.items()


def test_add_says_what_was_known(run):
    run("add", "I prefer TypeScript.")
    assert run("add", "I prefer TypeScript.").stdout.startswith("known  ")


def test_add_shows_close_memories(run, remember):
    first = remember("My favourite coffee is espresso from Naples.")
    assert "close to: " in (said := run("add", "My favourite coffee is espresso from Rome.").stdout)
    assert first[:8] in said


def test_add_without_a_statement_says_so(run):
    result = run("add", " ")
    assert result.exit_code == 0
    assert "Nothing was stored" in result.stderr


def test_add_says_that_nothing_was_stored_for_a_secret(run):
    said = run("add", "-", stdin="The key is sk-proj-Ab3dEf6hIj9kLm2nOp5q.")
    assert "a secret (openai)" in said.stderr
    assert "sk-proj" not in said.output


def test_add_keeps_what_is_said_beside_a_secret(run):
    said = run("add", "The billing key is sk-proj-Ab3dEf6hIj9kLm2nOp5q and lives in Vault.")
    assert "The billing key is [redacted:openai] and lives in Vault." in said.stdout


def test_add_reads_standard_input(shape):
    assert shape("add", "-", stdin="From a pipe.")["results"][0]["memory"] == "From a pipe."


def test_add_reads_a_file_of_messages(shape, tmp_path):
    messages = [
        {"role": "user", "content": "I like Halle."},
        {"role": "user", "name": "Nora", "content": "I like Jena."},
    ]
    (tmp_path / "messages.json").write_text(json.dumps(messages), encoding="utf-8")
    stored = shape("add", "--file", "messages.json")["results"]
    assert [(memory["memory"], memory.get("actor_id")) for memory in stored] == [
        ("I like Halle.", None),
        ("I like Jena.", "Nora"),
    ]


def test_add_keeps_what_the_options_say(shape, remember):
    options = [
        "--at",
        "2026-01-02",
        "--run",
        "r1",
        "--speaker",
        "Nora",
        "--expires",
        "2099-12-31",
        "--category",
        "food",
    ]
    options += ["--metadata", "a=1", "--metadata", "b=text", "--metadata", 'c={"d": [1]}', "--immutable"]
    memory = shape("show", remember("Soup with noodles. It was hot.", "--verbatim", *options))
    expected = {
        "memory": "Soup with noodles. It was hot.",
        "created_at": "2026-01-02T00:00:00+00:00",
        "run_id": "r1",
        "user_id": "ana",
        "speaker": "Nora",
        "expiration_date": "2099-12-31",
        "categories": ["food"],
        "metadata": {"a": 1, "b": "text", "c": {"d": [1]}},
        "immutable": True,
        "connector": "cli",
    }
    assert memory.items() >= expected.items()


def test_add_supersedes_by_short_id(run, shape, remember):
    old = remember("Nora lives in Leipzig.")
    assert shape("add", "Nora lives in Halle.", "--supersedes", old[:8])["superseded"] == [old]
    assert ": superseded" in run("list").stdout


def test_same_idempotency_key_stores_once(run, shape, remember):
    remember("I moved only once.", "--idempotency-key", "k")
    again = run("add", "I moved only once.", "--idempotency-key", "k")
    assert "used before" in again.stderr
    assert shape("list")["total"] == 1


# --- recall ------------------------------------------------------------------------------------------------------


def test_search_prints_score_id_day_speaker_and_text(run, remember):
    memory_id = remember("My cat is called Admiral.", "--at", "2026-03-04", "--speaker", "Nora")
    score, *rest = run("search", "what", "is", "my", "cat", "called").stdout.split("  ")
    assert 0 <= float(score) <= 1
    assert rest == [memory_id[:8], "2026-03-04", "Nora", "My cat is called Admiral.\n"]


def test_search_explains_each_hit(run, shape, remember):
    remember("My cat is called Admiral.")
    assert "bias" in run("search", "cat", "--explain").stdout
    (hit,) = shape("search", "cat", "--explain")["results"]
    assert hit["score_details"]["bias"] < 0
    assert "score_details" not in shape("search", "cat")["results"][0]


def test_search_without_hits_exits_with_3(run):
    result = run("search", "anything")
    assert (result.exit_code, result.stdout, result.stderr) == (3, "", "Nothing was found.\n")
    result = run("search", "anything", "--json")
    assert (result.exit_code, json.loads(result.stdout), result.stderr) == (3, {"results": []}, "")


def test_search_goes_back_in_time(shape, remember):
    first = remember("My cat is called Admiral.")
    remember("My dog is called Pepper.")
    seq = shape("history", first)["results"][0]["seq"]
    assert [hit["id"] for hit in shape("search", "called", "--as-of", seq)["results"]] == [first]


def test_search_takes_a_filter(shape, remember):
    food = remember("I love soup.", "--category", "food")
    remember("I love trains.", "--category", "travel")
    found = shape("search", "love", "--filter", '{"categories": {"contains": "food"}}')["results"]
    assert [hit["id"] for hit in found] == [food]


def test_context_prints_the_block_and_its_tokens_apart(run, remember):
    remember("My cat is called Admiral.")
    result = run("context", "cat", "--budget", "100")
    assert "Admiral" in result.stdout
    assert " of 100 tokens, 1 memory" in result.stderr


def test_context_shape_stays_in_its_budget(shape, remember):
    remember("My cat is called Admiral.")
    packed = shape("context", "cat", "--budget", 60)
    assert packed.keys() == {"text", "ids", "tokens", "budget_tokens", "omitted", "collapsed"}
    assert packed["tokens"] <= packed["budget_tokens"] == 60


def test_context_of_nothing_is_empty_and_fine(run):
    result = run("context", "cat")
    assert (result.exit_code, result.stdout) == (0, "")


def test_list_pages(run, shape, remember):
    ids = [remember(f"Fact {number}.", "--at", f"2026-01-0{number}") for number in (1, 2, 3)]
    page = shape("list", "--limit", 2, "--offset", 1, "--oldest-first")
    assert ([memory["id"] for memory in page["results"]], page["total"]) == (ids[1:], 3)
    assert "2 of 3; the next ones: --offset 2" in run("list", "--limit", 2).stderr


def test_list_is_newest_first(shape, remember):
    ids = [remember(f"Fact {number}.", "--at", f"2026-01-0{number}") for number in (1, 2)]
    assert [memory["id"] for memory in shape("list")["results"]] == ids[::-1]


def test_show_prints_all_about_one(run, remember):
    memory_id = remember("Alice from Berlin likes tea.", "--run", "r1", "--metadata", "a=1")
    said = run("show", memory_id[:8]).stdout
    for expected in (memory_id, "Alice from Berlin likes tea.", "r1", '{"a": 1}', "cli", "message 1"):
        assert expected in said


def test_history_says_when_who_and_what(run, shape, remember):
    memory_id = remember("Releases go out on Tuesdays.")
    run("update", memory_id, "Releases go out on Mondays.")
    said = run("history", memory_id[:8]).stdout
    assert "Releases go out on Tuesdays. → Releases go out on Mondays." in said
    assert "by ana (cli)" in said
    assert [step["event"] for step in shape("history", memory_id)["results"]] == ["ADD", "UPDATE"]


def test_entities_lists_users_and_runs(run, shape, remember):
    remember("Fact.", "--run", "r1")
    found = shape("entities")["results"]
    assert {(entity["type"], entity["name"], entity["total_memories"]) for entity in found} == {
        ("run", "r1", 1),
        ("user", "ana", 1),
    }
    assert "ana" in run("entities").stdout


# --- whose -------------------------------------------------------------------------------------------------------


def test_reads_are_for_one_user_unless_all_are_asked_for(shape, remember):
    remember("Of ana.")
    remember("Of bob.", "--user", "bob")
    assert [memory["memory"] for memory in shape("list")["results"]] == ["Of ana."]
    assert [memory["memory"] for memory in shape("--user", "bob", "list")["results"]] == ["Of bob."]
    assert shape("list", "--all-users")["total"] == 2
    assert {hit["memory"] for hit in shape("search", "of", "--all-users")["results"]} == {"Of ana.", "Of bob."}


def test_the_option_after_the_command_wins(shape):
    assert shape("--user", "bob", "add", "Fact.", "--user", "eve")
    assert shape("list", "--user", "eve")["total"] == 1


def test_projects_do_not_see_each_other(shape, remember):
    remember("Fact.", "--project", "shop")
    assert shape("list")["total"] == 0
    assert shape("list", "--project", "shop")["total"] == 1


def test_user_and_all_users_exclude_each_other(run):
    assert run("list", "--user", "bob", "--all-users").exit_code == 2


# --- change ------------------------------------------------------------------------------------------------------


def test_update_merges_metadata_and_clears_dates(shape, remember):
    memory_id = remember("Fact.", "--metadata", "a=1", "--expires", "2099-01-01")
    changed = shape("update", memory_id, "--metadata", "b=2", "--expires", "none")
    assert changed.keys() == {"message", "operation_id", "results"}
    memory = shape("show", memory_id)
    assert memory["metadata"] == {"a": 1, "b": 2}
    assert "expiration_date" not in memory


def test_invalidate_closes_and_restore_opens(shape, remember):
    memory_id = remember("Fact.")
    assert shape("invalidate", memory_id, "--at", "2099-01-01")["results"][0]["state"] == "invalidated"
    assert shape("restore", memory_id)["results"][0]["state"] == "active"


def test_restore_of_what_is_current_says_where_its_revisions_are(run, remember):
    memory_id = remember("Nora likes cello.")
    refused = run("restore", memory_id[:8])
    assert refused.exit_code == 2
    assert "kept history" in refused.stderr
    assert "--revision" in refused.stderr


def test_restore_takes_a_revision(shape, remember):
    memory_id = remember("Nora likes cello.")
    shape("update", memory_id, "Felix likes piano.")
    first = shape("history", memory_id)["results"][0]["seq"]
    assert shape("restore", memory_id, "--revision", first)["results"][0]["memory"] == "Nora likes cello."


def test_feedback_is_kept_and_cleared(shape, remember):
    memory_id = remember("Fact.")
    shape("feedback", memory_id, "very_negative")
    assert shape("show", memory_id)["feedback"] == "VERY_NEGATIVE"
    shape("feedback", memory_id, "none")
    assert "feedback" not in shape("show", memory_id)


def test_a_list_in_which_nothing_matches_says_so(run, remember):
    remember("Nora likes cello.")
    said = run("list", "--filter", '{"role": "usr"}').stderr
    assert said == "No memory of user ana in project default matches.\n"


def test_a_list_of_none_counts(run, remember):
    remember("Nora likes cello.")
    assert run("list", "--limit", "0").stderr == "1 memory in all.\n"


def test_what_was_erased_before_is_said_to_be_gone(run, remember):
    memory_id = remember("Nora likes cello.")
    run("erase", memory_id, "--yes")
    assert "erased before" in run("erase", memory_id, "--yes").stdout


def test_delete_hides_and_undo_brings_back(run, shape, remember):
    memory_id = remember("Fact.")
    result = run("delete", memory_id[:8])
    assert "kept undo " in result.stderr
    assert shape("list")["total"] == 0
    assert shape("undo")["undone"]["kind"] == "delete"
    assert shape("list")["total"] == 1


def test_undo_takes_the_operation_that_was_printed(run, shape, remember):
    remember("Nora likes cello.")
    operation = run("add", "Felix likes piano.").stderr.split()[-1]
    remember("Ines likes drums.")
    assert shape("undo", operation)["undone"]["operation_id"] == operation
    assert {memory["memory"] for memory in shape("list")["results"]} == {"Nora likes cello.", "Ines likes drums."}


def test_undo_lists_operations(shape, remember):
    remember("Fact.")
    assert [operation["kind"] for operation in shape("undo", "--list")["results"]] == ["add"]


def test_undo_lists_what_each_operation_was_about(run, shape, remember):
    remember("Nora likes cello.")
    operation = shape("add", "Felix likes piano. " + "Ines plays drums in a band on most Saturdays of the year. ")
    said = run("undo", "--list").stdout.splitlines()
    assert said[0].startswith(operation["operation_id"][:8])
    assert "2 memories  of ana  Felix likes piano." in said[0]
    assert "1 memory  of ana  Nora likes cello." in said[1]


@pytest.mark.parametrize("words", [("--limit", "3"), ("abcdef01", "--list")])
def test_undo_and_its_list_are_not_mixed(words, run, shape, remember):
    remember("Nora likes cello.")
    assert run("undo", *words).exit_code == 2
    assert shape("list")["total"] == 1


def test_a_mistaken_undo_is_taken_back_by_what_it_printed(run, shape, remember):
    remember("Nora likes cello.")
    operation = run("undo").stderr.split()[-1]
    assert shape("list")["total"] == 0
    assert run("undo", operation[:8]).exit_code == 0
    assert shape("list")["total"] == 1


def test_an_undo_of_many_memories_shows_some(run, tmp_path):
    said = [{"role": "user", "content": f"Ticket {number} moves a maintenance window."} for number in range(14)]
    (tmp_path / "said.json").write_text(json.dumps(said), encoding="utf-8")
    run("add", "--file", "said.json")
    shown = run("undo").stdout.splitlines()
    assert len(shown) == 12
    assert shown[-1] == "and 4 more"


def test_delete_all_asks(run, shape, remember):
    remember("Fact.")
    declined = run("delete", "--all", stdin="n\n")
    assert declined.exit_code == 1
    assert "Delete 1 memory of user ana in project default?" in declined.stderr
    assert "nothing was changed" in declined.stderr
    assert shape("list")["total"] == 1
    assert run("delete", "--all", stdin="y\n").exit_code == 0
    assert shape("list")["total"] == 0


def test_delete_all_takes_a_filter(shape, remember):
    remember("I love soup.", "--category", "food")
    remember("I love trains.")
    assert len(shape("delete", "--all", "--yes", "--filter", '{"categories": {"contains": "food"}}')["results"]) == 1


@pytest.mark.parametrize("answer", ["", "y\n", "yes\n", "no\n"])
def test_erase_wants_the_word(run, shape, remember, answer):
    memory_id = remember("Fact.")
    result = run("erase", memory_id, stdin=answer)
    assert result.exit_code == 1
    assert "CANNOT be undone" in result.stderr
    assert shape("list")["total"] == 1


def test_erase_removes_for_good(run, remember):
    memory_id = remember("Fact.")
    assert run("erase", memory_id, stdin="erase\n").exit_code == 0
    assert run("show", memory_id).exit_code == 3
    assert run("restore", memory_id).exit_code == 1


def test_erase_all_counts_memories_and_messages(shape, remember):
    remember("Fact.")
    erased = shape("erase", "--all", "--yes")
    assert erased.keys() == {"message", "erased", "messages", "scrubbed"}
    assert len(erased["erased"]) == 1


@pytest.mark.parametrize("name", ["delete", "erase"])
def test_what_to_remove_is_named_once(name, run):
    """Neither nothing, nor ids and --all at once."""
    assert run(name).exit_code == 2
    assert run(name, "3fa8c1d2", "--all").exit_code == 2
    assert run(name, "3fa8c1d2", "--filter", "{}").exit_code == 2


def test_retain_expires_what_is_old(shape, remember):
    remember("I lived in Jena.", "--at", "2020-01-01")
    remember("I live in Halle.")
    assert [memory["memory"] for memory in shape("retain", "--days", 30)["results"]] == ["I lived in Jena."]
    assert shape("list")["total"] == 1
    assert shape("list", "--show-expired")["total"] == 2


# --- move --------------------------------------------------------------------------------------------------------


def test_importing_twice_adds_nothing(run, shape):
    first = shape("import", EXAMPLES / "chat.json")
    assert first["total"]["added"] > 0
    assert first["files"][0].keys() >= {"path", "format", "sessions", "messages", "memories", "operation_ids"}
    second = run("import", EXAMPLES / "chat.json")
    assert "nothing new" in second.stdout
    assert shape("list")["total"] == first["total"]["added"]


def test_dry_run_says_what_would_be_read_and_makes_no_store(run, shape, tmp_path):
    assert "3 sessions, 18 messages" in run("import", EXAMPLES / "chat.json", "--dry-run").stdout
    assert shape("import", EXAMPLES, "--dry-run")["dry_run"] is True
    assert not (tmp_path / "kept.db").exists()


def test_a_broken_file_does_not_stop_the_others(run, tmp_path):
    (tmp_path / "broken.json").write_text("[{]", encoding="utf-8")
    result = run("import", "broken.json", "missing.md", EXAMPLES / "notes.md", "--json")
    assert result.exit_code == 1
    outcome = json.loads(result.stdout)
    assert outcome["total"]["failed"] == 2
    assert outcome["total"]["added"] > 0
    assert {Path(file["path"]).name: file.get("error", {}).get("code") for file in outcome["files"]} == {
        "broken.json": "invalid-input",
        "missing.md": "not-found",
        "notes.md": None,
    }
    said = run("import", "broken.json", EXAMPLES / "notes.md")
    assert "kept: error: broken.json" in said.stderr
    assert "1 file failed" in said.stdout


@pytest.mark.parametrize("error", [OverflowError, MemoryError, RecursionError, NotFoundError, StoreBusyError])
def test_whatever_one_file_brings_about_the_next_is_imported(run, tmp_path, monkeypatch, error):
    (tmp_path / "a.txt").write_text("I like tea.", encoding="utf-8")
    (tmp_path / "b.txt").write_text("I like coffee.", encoding="utf-8")
    whole = Service.import_sessions

    def fail_on_a(self, scope, sessions, **options):
        if sessions[0].metadata["file"] == "a.txt":
            raise error("beyond measure")
        return whole(self, scope, sessions, **options)

    monkeypatch.setattr(Service, "import_sessions", fail_on_a)
    result = run("import", "a.txt", "b.txt", "--json")
    assert result.exit_code == (4 if error is StoreBusyError else 1)
    total = json.loads(result.stdout)["total"]
    assert (total["failed"], total["added"]) == (1, 1)


def test_a_link_out_of_a_folder_is_told(run, shape, tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "diary.txt").write_text("I like tea.", encoding="utf-8")
    try:
        (tmp_path / "notes" / "link.txt").symlink_to(tmp_path / "diary.txt")
    except OSError:
        pytest.skip("links cannot be made here")
    assert "link.txt is a link that leads outside" in run("import", "notes").stderr
    assert [Path(path).name for path in shape("import", "notes")["left_out"]] == ["link.txt"]


def test_an_unknown_format_is_refused_once(run):
    result = run("import", EXAMPLES, "--format", "word")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)


def test_an_import_says_which_files_of_a_folder_it_passed_over(run, shape, tmp_path):
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "a.md").write_text("Releases go out on Tuesdays.", encoding="utf-8")
    for name in ("b.pdf", "c.csv", "d.json", "e.docx"):
        (notes / name).write_text("{}", encoding="utf-8")
    said = run("import", "notes").stderr
    assert "4 files passed over" in said
    assert "b.pdf" in said
    assert "e.docx" not in said
    assert [Path(path).name for path in shape("import", "notes")["passed_over"]] == [
        "b.pdf",
        "c.csv",
        "d.json",
        "e.docx",
    ]


def transcript(folder: Path) -> str:
    message = {"role": "user", "content": "We decided to use pnpm for every package."}
    entry = {"type": "user", "sessionId": "s1", "uuid": "u1", "cwd": str(folder), "message": message}
    return json.dumps(entry)


@pytest.fixture
def repository(tmp_path):
    """A repository with a remote, and a folder below its root."""
    git = tmp_path / "shop" / ".git"
    git.mkdir(parents=True)
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    (git / "config").write_text('[remote "origin"]\n\turl = git@github.com:acme/shop.git\n')
    (tmp_path / "shop" / "src").mkdir()
    return tmp_path / "shop"


def test_a_transcript_is_kept_under_the_name_that_hooks_give_its_repository(run, shape, repository, tmp_path):
    (tmp_path / "s1.jsonl").write_text(transcript(repository / "src"), encoding="utf-8")
    assert run("import", "s1.jsonl").exit_code == 0
    (found,) = shape("list")["results"]
    assert (found["app_id"], found["run_id"]) == ("github.com/acme/shop", "s1")


def test_a_transcripts_repository_may_have_given_itself_a_name(run, shape, repository, tmp_path):
    (repository / ".kept.toml").write_text('app_id = "the-shop"\n')
    (tmp_path / "s1.jsonl").write_text(transcript(repository), encoding="utf-8")
    assert run("import", "s1.jsonl").exit_code == 0
    assert shape("list")["results"][0]["app_id"] == "the-shop"


def test_an_app_that_is_named_takes_the_transcript(run, shape, repository, tmp_path):
    (tmp_path / "s1.jsonl").write_text(transcript(repository), encoding="utf-8")
    assert run("import", "s1.jsonl", "--app", "mine").exit_code == 0
    assert shape("list")["results"][0]["app_id"] == "mine"


def test_an_export_can_be_imported_again(run, shape, remember, tmp_path):
    remember("Tea 🍵 and قهوة.", "--metadata", "a=1")
    assert run("export", "--output", "out.jsonl").exit_code == 0
    shape("import", "out.jsonl", "--database", tmp_path / "other.db")
    assert (
        shape("list", "--database", tmp_path / "other.db")["results"][0].items()
        >= {
            "memory": "Tea 🍵 and قهوة.",
            "metadata": {"a": 1},
        }.items()
    )


def test_export_prints_json_lines(run, remember):
    remember("Fact.")
    header, memory = map(json.loads, run("export").stdout.splitlines())
    assert header["kept_export"] == 1
    assert memory["memory"] == "Fact."
    assert "Fact." in run("export", "--format", "markdown").stdout


def test_export_replaces_a_file_only_by_force(run, remember, tmp_path):
    remember("Fact.")
    target = tmp_path / "out.jsonl"
    target.write_text("precious", encoding="utf-8")
    assert run("export", "--output", target).exit_code == 1
    assert target.read_text(encoding="utf-8") == "precious"
    assert run("export", "--output", target, "--force").exit_code == 0
    assert "Fact." in target.read_text(encoding="utf-8")


def test_a_failed_export_leaves_no_file(run, remember, tmp_path):
    remember("Fact.")
    before = set(tmp_path.iterdir())
    assert run("export", "--output", "out.jsonl", "--filter", '{"nonsense": {"what": 1}}').exit_code == 2
    assert {path.name for path in set(tmp_path.iterdir()) - before} <= {"kept.db-wal", "kept.db-shm"}


def test_backup_is_a_store_of_its_own(shape, remember, run):
    remember("Fact.")
    assert shape("backup", "copy.db")["size_bytes"] > 0
    assert shape("list", "--database", "copy.db")["total"] == 1
    assert run("backup", "copy.db").exit_code != 0


# --- operate -----------------------------------------------------------------------------------------------------


def test_stats_counts(run, shape, remember):
    remember("Fact.")
    assert shape("stats")["memories"] == {"active": 1}
    assert ["memories", "1"] in [line.split() for line in run("stats").stdout.splitlines()]


def test_verify_finds_nothing_in_a_sound_store(run, shape, remember):
    remember("Fact.")
    assert shape("verify") == {"ok": True, "findings": []}
    assert run("verify").stdout == "All is well.\n"


def test_verify_exits_with_5_when_it_finds_something(run, shape, remember, tmp_path):
    """A text that was changed behind Kept's back is noticed, and rebuild repairs it."""
    import sqlite3
    from contextlib import closing

    remember("Fact.")
    with closing(sqlite3.connect(tmp_path / "kept.db", isolation_level=None)) as connection:
        connection.execute("UPDATE memory SET text = 'Forged.'")
    result = run("verify", "--json")
    assert result.exit_code == 5
    found = json.loads(result.stdout)
    assert found["ok"] is False
    assert found["findings"][0].keys() == {"check", "where", "detail"}
    assert shape("rebuild") == {"memories": 1}
    assert run("verify").exit_code == 0


def test_doctor_is_content_and_leaves_the_store_alone(run, shape, tmp_path):
    (tmp_path / "kept.toml").touch()
    report = shape("doctor")
    assert report["ok"] is True
    assert {check["name"]: check["status"] for check in report["checks"]} == dict.fromkeys(
        ("python", "versions", "settings", "folder", "store", "embedder", "models", "round trip"), "ok"
    )
    assert not (tmp_path / "kept.db").exists()
    (settings,) = [check["settings"] for check in report["checks"] if check["name"] == "settings"]
    assert settings["user_id"] == {"value": "ana", "source": "KEPT_USER_ID"}
    assert settings["project"] == {"value": "default", "source": "default"}
    assert "KEPT_USER_ID" in run("doctor").stdout


def test_doctor_says_that_the_configuration_that_is_named_is_missing(shape):
    (settings,) = [check for check in shape("doctor")["checks"] if check["name"] == "settings"]
    assert settings["status"] == "warn"
    assert "KEPT_CONFIG" in settings["advice"]


def test_doctor_asks_the_server_that_is_set(run, monkeypatch):
    monkeypatch.setenv("KEPT_URL", "http://127.0.0.1:9")
    report = run("doctor", "--json")
    assert report.exit_code == 1
    (server,) = [check for check in json.loads(report.stdout)["checks"] if check["name"] == "server"]
    assert (server["status"], server["code"]) == ("FAIL", "unreachable")


def test_a_command_says_that_it_does_not_use_the_server_that_is_set(run, monkeypatch):
    monkeypatch.setenv("KEPT_URL", "http://127.0.0.1:9")
    said = run("add", "Releases go out on Tuesdays.")
    assert said.exit_code == 0
    assert "not KEPT_URL" in said.stderr


@pytest.mark.parametrize("command", [("list",), ("search", "x"), ("stats",), ("delete", "abcdef"), ("keys", "list")])
def test_a_store_that_is_named_and_not_there_is_made_only_by_what_stores(command, run, tmp_path):
    refused = run(*command, "--database", "typo/dir/x.db")
    assert refused.exit_code == 4
    assert "There is no store at typo" in refused.stderr
    assert list(tmp_path.iterdir()) == []
    assert run("add", "Releases go out on Tuesdays.", "--database", "typo/dir/x.db").exit_code == 0
    assert run("list", "--database", "typo/dir/x.db").exit_code == 0


def test_doctor_inspects_an_existing_store(shape, remember):
    remember("Fact.")
    (store,) = [check for check in shape("doctor")["checks"] if check["name"] == "store"]
    assert (store["status"], store["journal_mode"]) == ("ok", "wal")


@pytest.mark.parametrize("schema", [0, 1, 3])
def test_doctor_leaves_a_store_of_an_earlier_kept_as_it_is(shape, tmp_path, schema):
    """With schema 0 nothing is in it yet."""
    path = tmp_path / "kept.db"
    path.touch()
    if schema:
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.executescript((EARLIER_STORES / f"schema_{schema}.sql").read_text(encoding="utf-8"))
    before = path.read_bytes()
    (store,) = [check for check in shape("doctor")["checks"] if check["name"] == "store"]
    assert (store["status"], store["schema"]) == ("ok", schema)
    assert "earlier Kept" in store["detail"]
    assert path.read_bytes() == before


def test_doctor_says_what_is_wrong_and_what_to_do(run, tmp_path):
    (tmp_path / "junk.db").write_text("no database", encoding="utf-8")
    result = run("doctor", "--database", "junk.db", "--json")
    assert result.exit_code == 1
    (store,) = [check for check in json.loads(result.stdout)["checks"] if check["name"] == "store"]
    assert (store["status"], store["code"]) == ("FAIL", "store-corrupt")
    assert store["advice"]
    assert (tmp_path / "junk.db").read_text(encoding="utf-8") == "no database"


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_doctor_never_shows_the_key(run, monkeypatch, form):
    monkeypatch.setenv("KEPT_API_KEY", "kept_0123456789abcdef")
    shown = run("doctor", *form).stdout
    assert "kept_0123" not in shown
    assert "KEPT_API_KEY" in shown


def test_doctor_writes_settings_as_variables_are_written(run, monkeypatch):
    monkeypatch.setenv("KEPT_IGNORE", "secrets/**,*.pem")
    shown = run("doctor").stdout
    assert "ignore = secrets/**,*.pem  (KEPT_IGNORE)" in shown
    assert "public_url = none  (default)" in shown
    assert "capture = true  (default)" in shown


def test_doctor_reports_a_malformed_setting(run, monkeypatch):
    monkeypatch.setenv("KEPT_CACHE_MB", "much")
    result = run("doctor")
    assert result.exit_code == 1
    assert "FAIL  settings" in result.stdout


def test_demo_tells_its_story(run, tmp_path):
    """Import, search, context, update, history and undo, without touching the user's store."""
    result = run("demo")
    assert result.exit_code == 0, result.stderr
    for expected in (
        "$ kept import",
        "nothing new",
        "$ kept search",
        "bias",
        "$ kept context",
        "→",
        "undone: the update",
    ):
        assert expected in result.stdout
    assert "of 260 tokens" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_demo_shows_the_answer_of_each_question(run):
    told = run("demo").stdout
    for answer in ("Then Postgres 16 it is.", "allergic to peanuts", "my knee needs a break"):
        assert answer in told


def test_demo_keeps_its_store_on_request(run, shape):
    assert run("demo", "--keep", "demo.db").exit_code == 0
    assert shape("list", "--database", "demo.db", "--user", "demo")["total"] > 0
    assert run("demo", "--keep", "demo.db").exit_code == 1


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_and_how_to_install_it(shell, run):
    result = run("completion", shell)
    assert result.exit_code == 0
    assert "_KEPT_COMPLETE" in result.stdout
    assert f"# Install it once: kept completion {shell} > " in result.stdout
