"""`kept demo`: the main job from end to end on the sample sessions, each step by the command it names."""

from __future__ import annotations

import shlex
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from kept.cli import render
from kept.cli.invocation import Invocation, pass_invocation
from kept.cli.options import command
from kept.cli.safe_text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kept.domain.memory import MemoryRecord

USER: Final = "demo"
SAMPLES: Final = ("claude-code-session.jsonl", "chat.json", "notes.md", "dialogue.txt")
"""In the folder `examples`; its README says what is in each."""
QUESTIONS: Final = (
    "Which Postgres version did we choose?",
    "What is Mira allergic to?",
    "Why did Nora cancel the half marathon?",
)
SUBJECT: Final = "What do I need to know before the trip to Portugal?"
SHOWN: Final = 3
"""Hits of a search: the answer is among as many."""
BUDGET: Final = 260
"""Tokens of the context block: small enough that a choice has to be made, and with room for the ids, whose tokens vary: the choice was
the same in 120 runs."""
CHANGED: Final = "On which days do we release?"
OLD_TEXT: Final = "Releases go out on Tuesdays"
NEW_TEXT: Final = "Releases go out on Mondays and Thursdays before noon."


@command("demo", shared=False, examples=["kept demo", "kept demo --keep demo.db"])
@click.option(
    "--keep",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Keep the store in this new file.",
)
@pass_invocation
@click.pass_context
def demo(ctx: click.Context, invocation: Invocation, /, keep: Path | None) -> None:
    """Show what Kept does, in some seconds, on sample sessions.

    Import, search, context, update, history and undo, each by the command it names. Runs in a temporary store; your
    memories are not touched.
    """
    if invocation.as_json:
        raise click.UsageError("The demo is for people; it has no --json.", ctx)
    if keep is not None and keep.exists():
        raise click.ClickException(f"{keep} exists already; name a new file.")
    import tempfile

    with ExitStack() as stack:
        samples = stack.enter_context(_samples())
        if keep is None:
            prefix = "kept-demo-"
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True))
            store = Path(folder) / "demo.db"
        else:
            store = keep.absolute()
        _tell(_Stage(ctx, store), samples)
    if keep is not None:
        name = shlex.quote(str(keep))
        render.say(f"\nThe store is kept. Ask it more: kept --database {name} --user {USER} search …")


@contextmanager
def _samples() -> Iterator[Path]:
    """The folder of the sample sessions: in the installed package, else beside the source."""
    from importlib import resources

    packaged = resources.files("kept") / "examples"
    if packaged.is_dir():
        with resources.as_file(packaged) as folder:
            yield folder
        return
    checkout = Path(__file__).parents[3] / "examples"
    if not (checkout / SAMPLES[0]).is_file():
        raise click.ClickException("The sample sessions are not installed; reinstall Kept.")
    yield checkout


class _Stage:
    """Runs commands of this program in the demo's store, and shows what it runs."""

    def __init__(self, ctx: click.Context, store: Path) -> None:
        self._cli = ctx.find_root().command
        self._store = store

    def title(self, text: str) -> None:
        render.say("\n" + click.style(text, bold=True))

    def run(self, *arguments: str, shown: tuple[str, ...] | None = None) -> None:
        """Run a command as if it had been typed; `shown` is what to show instead, where paths are long."""
        render.say(click.style(f"$ kept {shlex.join(shown or arguments)}", fg="cyan"))
        typed = ["--database", str(self._store), "--user", USER, *arguments]
        self._cli.main(args=typed, prog_name="kept", standalone_mode=False)

    def hit(self, question: str, saying: str) -> MemoryRecord:
        """The hit that says this (else the best one), to go on with."""
        invocation = Invocation(database=str(self._store), user=USER)
        with invocation.service() as service:
            hits = service.search(invocation.scope(), question, top_k=SHOWN)
        return next((hit.memory for hit in hits if saying in hit.memory.text), hits[0].memory)


def _tell(stage: _Stage, samples: Path) -> None:
    stage.title(
        "1. Import: a coding session, chats, notes and a dialogue. No model is called, nothing leaves the machine."
    )
    for name in SAMPLES:
        stage.run("import", str(samples / name), shown=("import", name))
    stage.title("   The same file again adds nothing.")
    stage.run("import", str(samples / SAMPLES[0]), shown=("import", SAMPLES[0]))
    stage.title("2. Ask, and see why each hit came: what every part of its score added.")
    for question in QUESTIONS:
        stage.run("search", question, "--top-k", str(SHOWN), "--explain")
    stage.title("3. A block for a prompt: the best set of memories that fits into a budget of tokens.")
    stage.run("context", SUBJECT, "--budget", str(BUDGET))
    memory = stage.hit(CHANGED, OLD_TEXT)
    memory_id = render.short(memory.id)
    stage.title("4. Something has changed.")
    stage.run("search", CHANGED, "--top-k", str(SHOWN))
    stage.run("update", memory_id, NEW_TEXT)
    stage.title("   The log keeps both wordings, when, and who.")
    stage.run("history", memory_id)
    stage.title("5. That was a mistake: every operation can be taken back.")
    stage.run("undo")
    stage.run("search", CHANGED, "--top-k", str(SHOWN))
    render.say(printable("\nThat is all. Begin with your own: kept import ~/.claude/projects, or kept add …"))
