# SPDX-License-Identifier: Apache-2.0
"""docs/gateway.md names every command, every setting and every default that it gives."""

from pathlib import Path

import typer

from kiezbox_gateway.alarms import KINDS
from kiezbox_gateway.command.gateway import app
from kiezbox_gateway.configuration import Configuration

TEXT = (Path(__file__).parents[2] / "docs" / "gateway.md").read_text()


def test_every_command_is_documented_and_helps() -> None:
    group = typer.main.get_command(app)
    commands = group.commands  # type: ignore[attr-defined]
    assert len(commands) == 21
    for name, command in commands.items():
        assert f"`kiezbox gateway {name}`" in TEXT, name
        assert command.help, name


def test_every_setting_is_documented() -> None:
    for section, field in Configuration.model_fields.items():
        assert field.annotation is not None
        for name in field.annotation.model_fields:
            assert f"`{section}.{name}`" in TEXT, f"{section}.{name}"


def test_every_alarm_is_documented_and_none_that_is_not_there() -> None:
    section = TEXT[TEXT.index("## Alarms") : TEXT.index("## When something breaks")]
    rows = [line.split("|")[1:4] for line in section.splitlines() if line.startswith("| `")]
    documented = {name.strip().strip("`"): urgent.strip() == "yes" for name, urgent, _ in rows}
    assert documented == {name: kind.urgent for name, kind in KINDS.items()}
