# SPDX-License-Identifier: Apache-2.0
"""No personal data and no secret in a log, whatever a careless call passes."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

import kiezbox_gateway
from kiezbox_gateway import logging_setup

SOURCES = sorted(Path(kiezbox_gateway.__file__).parent.rglob("*.py"))


@pytest.fixture(autouse=True)
def _reset() -> Iterator[None]:
    yield
    structlog.reset_defaults()


@pytest.mark.parametrize("form", ["json", "text"])
def test_forbidden_fields_are_withheld(capsys: pytest.CaptureFixture[str], form: str) -> None:
    logging_setup.configure("info", form)  # type: ignore[arg-type]
    log = structlog.get_logger(part="test")
    for field in logging_setup.FORBIDDEN_FIELDS:
        log.info("event_of_test", **{field: "Zwiebelfisch"})
    written = capsys.readouterr().err
    assert written.count("event_of_test") == len(logging_setup.FORBIDDEN_FIELDS)
    assert "Zwiebelfisch" not in written


def test_json_lines_have_time_level_and_part(capsys: pytest.CaptureFixture[str]) -> None:
    logging_setup.configure("warning", "json")
    log = structlog.get_logger(part="test")
    log.info("hidden")
    log.warning("shown", count=3)
    (line,) = capsys.readouterr().err.splitlines()
    found = json.loads(line)
    assert found["event"] == "shown"
    assert found["part"] == "test"
    assert found["level"] == "warning"
    assert found["timestamp"].endswith("Z")


def test_no_call_in_the_source_passes_a_forbidden_field() -> None:
    checked = 0
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            if isinstance(node.func.value, ast.Name) and node.func.value.id == "log":
                checked += 1
                names = {keyword.arg for keyword in node.keywords}
                assert not names & logging_setup.FORBIDDEN_FIELDS, f"{path.name}:{node.lineno}"
                assert isinstance(node.args[0], (ast.Constant, ast.IfExp, ast.Attribute)), f"{path.name}:{node.lineno}"
    assert checked > 30
