"""Importing costs nothing and does nothing."""

from __future__ import annotations

import json
import statistics
import time

import pytest

HEAVY = {
    "anyio",
    "asyncio",
    "click",
    "httpx2",
    "numpy",
    "platformdirs",
    "sqlite3",
    "Stemmer",
    "tokenizers",
    "wordllama",
}

IMPORT_BOUND_S = 0.08
"""What `import kept` may add to a bare Python: a tenth of what a person notices, and generous for a busy machine."""

WATCHED = """
import importlib, json, logging, os, signal, sys, threading

sys.dont_write_bytecode = True
done = []

def watch(event, arguments):
    if event == "open":
        path, mode, flags = arguments
        if set(mode or "") & set("wax+") or (flags or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            done.append([event, str(path)])
    elif event.startswith(("socket.", "subprocess.", "sqlite3.connect", "os.putenv", "os.mkdir", "os.remove", "os.rename")):
        done.append([event, str(arguments)])

import %(before)s
names = %(names)s
handlers, signals = list(logging.root.handlers), {s: signal.getsignal(s) for s in signal.valid_signals()}
sys.addaudithook(watch)
for name in names:
    importlib.import_module(name)
if threading.active_count() != 1:
    done.append(["thread", str(threading.enumerate())])
if logging.root.handlers != handlers or any(
    logging.getLogger(name).handlers for name in logging.root.manager.loggerDict if name.startswith("kept")
):
    done.append(["logging", "a handler was added"])
if signals != {s: signal.getsignal(s) for s in signal.valid_signals()}:
    done.append(["signal", "a signal handler was changed"])
print(json.dumps(done))
"""


def test_importing_any_module_does_nothing(run_python, trees):
    """No module writes a file, opens a socket or store, starts a process or thread, or configures logging."""
    names = [_module(path) for path in trees if not path.startswith("testing/") and not path.endswith("__main__.py")]
    # What numpy and the like do when they are first imported is theirs; they are imported before the watch begins.
    watched = WATCHED % {"before": "anyio, click, numpy, platformdirs, tokenizers", "names": repr(names)}
    assert json.loads(run_python(watched)) == []


@pytest.mark.parametrize("module", ["kept", "kept.errors", "kept.settings", "kept.adapters.embedders"])
def test_importing_the_surface_loads_nothing_heavy(run_python, module):
    """Whoever imports Kept pays for what is used, when it is used."""
    loaded = run_python(f"import sys, {module}; print(*sys.modules)").split()
    assert HEAVY & {name.partition(".")[0] for name in loaded} == set()


def test_importing_kept_is_quick(run_python):
    """The median of five starts with the import is close to that of five without."""

    def median_s(script: str) -> float:
        run_python(script)
        times = []
        for _ in range(5):
            started = time.perf_counter()
            run_python(script)
            times.append(time.perf_counter() - started)
        return statistics.median(times)

    assert median_s("import kept") - median_s("pass") < IMPORT_BOUND_S


def _module(path: str) -> str:
    return ".".join(("kept", *path.removesuffix(".py").removesuffix("__init__").strip("/").split("/"))).rstrip(".")
