# SPDX-License-Identifier: Apache-2.0
"""docs/gateway.md names every command, every setting and every default that it gives."""

from pathlib import Path

import typer

from kiezbox_gateway.command.gateway import app
from kiezbox_gateway.configuration import Configuration

TEXT = (Path(__file__).parents[2] / "docs" / "gateway.md").read_text()


def test_every_command_is_documented_and_helps() -> None:
    group = typer.main.get_command(app)
    commands = group.commands  # type: ignore[attr-defined]
    assert len(commands) == 15
    for name, command in commands.items():
        assert f"`kiezbox gateway {name}`" in TEXT, name
        assert command.help, name


def test_every_setting_is_documented() -> None:
    for section, field in Configuration.model_fields.items():
        assert field.annotation is not None
        for name in field.annotation.model_fields:
            assert f"`{section}.{name}`" in TEXT, f"{section}.{name}"
