"""What `deploy/` holds fits the program: files, commands, settings and limits that it names are there."""

from __future__ import annotations

import ast
import configparser
import os
import re
import shlex
import subprocess
import sys
import threading
import tomllib
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner

from kept.cli.app import cli
from kept.rest.app import WORKER_GRACE_S
from kept.rest.running import REQUESTS_GRACE_S
from kept.settings import PREFIX, Settings, setting_names

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
SECRET = re.compile(r"(KEY|SECRET|TOKEN|PASSWORD)\s*=\s*\S", re.IGNORECASE)


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions, with what they say on one line."""
    text = re.sub(r"^#.*\n", "", (DEPLOY / "Dockerfile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", " ", text).splitlines()
    return [(line.partition(" ")[0], line.partition(" ")[2]) for line in lines if line.strip()]


def said(name: str) -> list[str]:
    """What the instructions of a name say, in order."""
    return [value for instruction, value in instructions() if instruction == name]


@pytest.fixture(scope="module")
def unit() -> configparser.ConfigParser:
    """The systemd unit; of what it says twice the last."""
    parser = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",))
    parser.optionxform = str
    parser.read(DEPLOY / "kept.service", encoding="utf-8")
    return parser


def variables(text: str) -> dict[str, str]:
    """The settings among NAME=value pairs."""
    pairs = (pair.partition("=") for pair in shlex.split(text))
    return {name: value for name, _, value in pairs if name.startswith(PREFIX)}


def require_settings(named: set[str]) -> None:
    assert named <= {f"{PREFIX}{name.upper()}" for name in (*setting_names(), "config")}


def require_command(words: list[str]) -> None:
    """A command line of `kept` that its parser takes."""
    assert Path(words[0]).name == "kept"
    assert CliRunner().invoke(cli, [*words[1:], "--help"]).exit_code == 0


# --- the image ---


def test_the_image_is_made_of_files_that_are_there_and_are_sent_to_the_build():
    sources = [source for value in said("COPY") if not value.startswith("--from") for source in shlex.split(value)[:-1]]
    assert {"pyproject.toml", "src"} <= set(sources)
    assert all((ROOT / source).exists() for source in sources)
    sent = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert {f"!{source}" for source in sources} <= set(sent)
    assert "*" in sent


def test_the_image_holds_everything_that_the_wheel_is_built_from():
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = build["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {*(path.partition("/")[0] for path in wheel["packages"]), *wheel.get("force-include", {})}
    needed |= {build["project"]["readme"], *build["project"]["license-files"], "pyproject.toml"}
    copied = {source for value in said("COPY") for source in shlex.split(value)}
    assert needed <= copied


def test_the_image_installs_an_extra_that_is_there_on_a_python_that_is_supported():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (extra,) = re.findall(r"\.\[(\w+)\]", " ".join(said("RUN")))
    assert extra in project["optional-dependencies"]
    for image in said("FROM"):
        (version,) = re.findall(r"python:(\d+\.\d+)-slim", image)
        assert f"Programming Language :: Python :: {version}" in project["classifiers"]


def test_the_image_runs_the_server_as_somebody_without_rights_over_a_volume():
    assert said("USER")[-1] not in {"root", "0"}
    (volume,) = said("VOLUME")
    environment = variables(" ".join(said("ENV")))
    require_settings(set(environment))
    assert environment["KEPT_DATABASE"].startswith(f"{volume}/")
    assert said("EXPOSE") == [environment["KEPT_PORT"]]
    require_command(ast.literal_eval(said("CMD")[-1]))


def test_the_image_holds_no_secret():
    assert not any(SECRET.search(value) for _, value in instructions())


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False)])
def test_the_image_is_healthy_when_the_server_is_ready(status, healthy):
    (check,) = said("HEALTHCHECK")
    python, *arguments = ast.literal_eval(check[check.index("[") :])
    assert python == "python"

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/readyz" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        environment = {**os.environ, "KEPT_PORT": str(server.server_port), "no_proxy": "127.0.0.1"}
        done = subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, check=False)
        thread.join()
    assert (done.returncode == 0) == healthy


# --- the unit ---


def test_the_unit_runs_the_server_with_settings_that_are_there(unit):
    service = unit["Service"]
    require_command(shlex.split(service["ExecStart"]))
    environment = variables(service["Environment"])
    require_settings(set(environment))
    assert environment["KEPT_DATABASE"] == f"/var/lib/{service['StateDirectory']}/kept.db"


def test_the_unit_waits_longer_than_the_server_takes_to_end(unit):
    assert int(unit["Service"]["TimeoutStopSec"]) > REQUESTS_GRACE_S + WORKER_GRACE_S


def test_the_unit_takes_from_the_server_what_it_does_not_need(unit):
    service = unit["Service"]
    for name in ("DynamicUser", "NoNewPrivileges", "PrivateTmp", "ProtectHome", "MemoryDenyWriteExecute"):
        assert service[name] == "yes"
    assert service["ProtectSystem"] == "strict"
    assert service["CapabilityBoundingSet"] == ""
    assert not SECRET.search(service["Environment"])


# --- the proxy ---


def test_the_proxy_passes_paths_on_as_they_came_and_no_measurements():
    text = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
    settings = Settings(database="", user_id="")
    assert f"proxy_pass http://{settings.host}:{settings.port};" in text  # nothing after the port
    assert "merge_slashes off;" in text
    assert f"client_max_body_size {settings.max_body_mb}m;" in text
    assert re.search(r"location = /metrics \{\s*return 404;", text)
    require_settings(set(re.findall(r"KEPT_[A-Z_]+", text)))
