# SPDX-License-Identifier: Apache-2.0
"""The root command `kiezbox`. Sub-commands come from the entry points of group `kiezbox.commands`, loaded when needed.

No traceback ever reaches a user: every error ends as one sentence on standard error and a non-zero exit status.
"""

import os
import sys
import traceback
from importlib import metadata
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from kiezbox import __version__
from kiezbox_gateway.language import SpokenError, harmless, text

GROUP = "kiezbox.commands"
EXIT_FAILED = 1
EXIT_INTERNAL = 70
EXIT_INTERRUPTED = 130
EPILOGUE = """Try it: `kiezbox demo` plays a blackout with five simulated boxes and shows what arrives.
Run a gateway: `kiezbox gateway init`, then `kiezbox gateway doctor`, then `kiezbox gateway run`.
Look at a frame from the air: `kiezbox frame decode HEX --channel NAME --key BASE64`."""


class CommandError(SpokenError):
    """A command cannot do what it was asked; the text is one sentence that says what to do."""


class LazyGroup(TyperGroup):
    """Loads a sub-command's module only when it is called or when help lists them."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names of all sub-commands that are installed."""
        return sorted({point.name for point in metadata.entry_points(group=GROUP)})

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The sub-command, None when there is none of this name."""
        for point in metadata.entry_points(group=GROUP, name=cmd_name):
            try:
                loaded = point.load()
            except Exception as error:  # noqa: BLE001  A broken part must not take the other commands with it.
                return _broken(cmd_name, error)
            command = typer.main.get_command(loaded) if isinstance(loaded, typer.Typer) else loaded
            command.name = cmd_name
            translate(command)
            return command
        return None


def translate(command: Any) -> None:
    """Put the help of a command and of all below it into the reader's language."""
    if command.help:
        command.help = text(command.help)
    for parameter in command.params:
        if getattr(parameter, "help", None):
            parameter.help = text(parameter.help)
    for each in getattr(command, "commands", {}).values():
        translate(each)


def _broken(name: str, error: Exception) -> TyperCommand:
    sentence = f"the command {name} cannot be loaded: {type(error).__name__}: {error}"

    def fail(**_: object) -> None:
        if os.environ.get("KIEZBOX_TRACEBACK"):
            traceback.print_exception(error)
        raise CommandError(sentence)

    return TyperCommand(
        name,
        callback=fail,
        short_help="(cannot be loaded)",
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"kiezbox {__version__}")
        raise typer.Exit


app = typer.Typer(
    cls=LazyGroup,
    name="kiezbox",
    help="Solar boxes that carry a call for help over a LoRa mesh when everything else is dark.",
    epilog=EPILOGUE.replace("\n", "\n\n"),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def root(
    version: bool = typer.Option(
        False, "--version", help="Print the version and exit.", is_eager=True, callback=_show_version
    ),
) -> None:
    """Solar boxes that carry a call for help over a LoRa mesh when everything else is dark."""


def main() -> None:
    """Entry point of the console script."""
    try:
        result = app(standalone_mode=False, prog_name="kiezbox")
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output has gone; nothing may be written at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_FAILED)
    except SystemExit:
        raise
    except Exception as error:  # noqa: BLE001  The last line of defence.
        sys.exit(_report(error))
    sys.exit(result if isinstance(result, int) else 0)


def _report(error: Exception) -> int:
    if os.environ.get("KIEZBOX_TRACEBACK"):
        traceback.print_exception(error)
    show = getattr(error, "show", None)
    if show is not None:
        # A usage error or Abort of the command line library, which words itself.
        show()
        return int(getattr(error, "exit_code", EXIT_FAILED))
    if type(error).__name__ == "Abort":
        typer.echo(text("Stopped; nothing was changed."), err=True)
        return EXIT_FAILED
    problems = getattr(error, "problems", None)
    if problems:
        path = error.path  # type: ignore[attr-defined]
        typer.echo(text("{path} cannot be used:", path=path), err=True)
        for problem in problems:
            typer.echo(f"  - {harmless(problem)}", err=True)
        return EXIT_FAILED
    if isinstance(error, (CommandError, OSError)) or type(error).__module__.startswith("kiezbox"):
        sentence = (
            f"{error.strerror}: {error.filename}" if isinstance(error, OSError) and error.filename else str(error)
        )
        typer.echo(f"kiezbox: {harmless(sentence)}", err=True)
        return EXIT_FAILED
    sentence = text(
        "internal error ({name}: {error}); set KIEZBOX_TRACEBACK=1 for details and report it",
        name=type(error).__name__,
        error=error,
    )
    typer.echo(f"kiezbox: {harmless(sentence)}", err=True)
    return EXIT_INTERNAL
