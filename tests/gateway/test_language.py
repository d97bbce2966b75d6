# SPDX-License-Identifier: Apache-2.0
"""German for staff is complete: every sentence that the source says has its German one, and none is left over."""

import ast
import errno
import os
import re
import string
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

import kiezbox_gateway
from kiezbox_gateway import alarms, box_faults, configuration, language
from kiezbox_gateway.command.gateway import app
from kiezbox_gateway.language import SpokenError
from kiezbox_gateway.store.rows import OutboxClass
from kiezbox_gateway.tokens import Role
from kiezbox_gateway.web import desk, server

FOLDER = Path(kiezbox_gateway.__file__).parent
# `kiezbox frame` is a developer's tool and speaks English; what mqtt.py calls text is a field of a packet.
SOURCES = [path for path in sorted(FOLDER.rglob("*.py")) if path.name not in ("frame.py", "mqtt.py")]
SPEAKERS = {"text", "error_answer"}
# What the C library says of files and connections, as far as operators meet it.
REASONS = [
    os.strerror(number)
    for number in (
        errno.ENOENT,
        errno.EACCES,
        errno.ENOSPC,
        errno.EROFS,
        errno.EISDIR,
        errno.ENOTDIR,
        errno.EEXIST,
        errno.ECONNREFUSED,
    )
]


def spoken_errors() -> set[str]:
    found: set[str] = set()
    open_classes: list[type] = [SpokenError]
    while open_classes:
        for each in open_classes.pop().__subclasses__():
            found.add(each.__name__)
            open_classes.append(each)
    return found


def said_in_source() -> Iterator[tuple[str, str]]:
    errors = spoken_errors()
    assert server.ApiError.__name__ in errors
    assert len(errors) > 10
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            of = node.func.value if isinstance(node.func, ast.Attribute) else None
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            if name == "text" and of is not None and getattr(of, "id", "") != "language":
                continue
            if name not in SPEAKERS and name not in errors:
                continue
            where = f"{path.name}:{node.lineno}"
            given = [each for each in node.args if not isinstance(each, ast.Constant) or isinstance(each.value, str)]
            for each in given[:1]:
                assert not isinstance(each, ast.JoinedStr) or name in errors, f"{where} cannot be translated"
                if isinstance(each, ast.Constant):
                    yield each.value, where


def said_in_templates() -> Iterator[tuple[str, str]]:
    for path in (FOLDER / "web" / "templates").glob("*.html"):
        for found in re.findall(r'\bt\("([^"]*)"', path.read_text()):
            yield found, path.name


def said_in_help() -> Iterator[tuple[str, str]]:
    open_commands = [typer.main.get_command(app)]
    while open_commands:
        command = open_commands.pop()
        open_commands += getattr(command, "commands", {}).values()
        if command.help:
            yield command.help, f"help of {command.name}"
        for parameter in command.params:
            if getattr(parameter, "help", None) and parameter.name != "help":
                yield parameter.help, f"{command.name} {parameter.name}"  # type: ignore[attr-defined]


def said_in_tables() -> Iterator[tuple[str, str]]:
    for kind in alarms.KINDS.values():
        yield kind.sentence, "alarms"
        yield kind.advice, "alarms"
    for table in (desk.CATEGORIES, desk.STAGES, desk.JOB_STATES, desk.JOB_KINDS, desk.MODES, desk.SIGNS):
        for value in table.values():
            yield value, "desk"
    for word in (box_faults.SENSOR, *box_faults.PARTS.values()):
        yield word, "box_faults"
    for outbox_class in OutboxClass:
        yield outbox_class.name.lower(), "classes"
    for sentence in configuration.LIMITS.values():
        yield sentence, "configuration"
    for sentence in said_by_models():
        yield sentence, "configuration"
    for name in ("configuration", "keys", "disk", "database", "clock", "certificate", "gateway", "radio", "city"):
        yield name, "doctor"
    for reason in REASONS:
        yield reason, "strerror"
    for role in Role:
        yield role.name.lower(), "roles"


def said_by_models() -> Iterator[str]:
    """What the validators of the configuration raise."""
    for node in ast.walk(ast.parse(Path(configuration.__file__).read_text())):
        called = node.exc if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) else None
        if called is not None and getattr(called.func, "id", "") == "ValueError":
            assert isinstance(called.args[0], ast.Constant)
            yield called.args[0].value


def everything() -> dict[str, str]:
    return {
        **dict(said_in_source()), **dict(said_in_templates()), **dict(said_in_help()), **dict(said_in_tables()),
    }  # fmt: skip


@pytest.mark.parametrize("name", [name for name in language.LANGUAGES if name != "en"])
def test_every_sentence_is_there_and_none_is_left_over(name: str) -> None:
    wanted = everything()
    have = tomllib.loads((FOLDER / "languages" / f"{name}.toml").read_text())
    assert {sentence: where for sentence, where in wanted.items() if sentence not in have} == {}
    assert set(have) - set(wanted) == set()
    for sentence, translated in have.items():
        fields = {each[1] for each in string.Formatter().parse(sentence) if each[1]} if "{" in sentence else set()
        there = {each[1] for each in string.Formatter().parse(translated) if each[1]} if "{" in translated else set()
        assert there == fields, sentence
        assert translated.strip(), sentence


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "en"),
        ({"LANG": "de_DE.UTF-8"}, "de"),
        ({"LANG": "de_DE.UTF-8", "LC_ALL": "C.UTF-8"}, "en"),
        ({"LANG": "en_GB", "LC_MESSAGES": "de_AT"}, "de"),
        ({"LC_ALL": "", "LANG": "fr_FR"}, "en"),
    ],
)
def test_language_of_a_terminal(environment: dict[str, str], expected: str) -> None:
    assert language.of_environment(environment) == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", "en"),
        ("de", "de"),
        ("de-DE,de;q=0.9,en;q=0.8", "de"),
        ("en-GB,en;q=0.9,de;q=0.8", "en"),
        ("fr,de;q=0.5,en;q=0.4", "de"),
        ("de;q=0,en;q=0.1", "en"),
        ("tr,ar", "en"),
        ("de;q=nan, \x00;;;q=", "en"),
        ("x" * 100_000, "en"),
    ],
)
def test_language_of_a_browser(header: str, expected: str) -> None:
    assert language.of_header(header) == expected


def test_an_error_is_said_in_the_language_of_its_reader() -> None:
    error = SpokenError("{path} cannot be read: {reason}", path="x{y}", reason="Permission denied")
    with language.use("en"):
        assert str(error) == "x{y} cannot be read: Permission denied"
    with language.use("de"):
        assert str(error) == "x{y} kann nicht gelesen werden: keine Berechtigung"
    assert str(SpokenError("braces {} stay")) == "braces {} stay"
