# SPDX-License-Identifier: Apache-2.0
"""Makes a new gateway's folder: commented configuration, keys, empty list of boxes. Overwrites nothing."""

import secrets
from importlib import resources
from pathlib import Path

from kiezbox_gateway import configuration, secret_files
from kiezbox_gateway.secret_files import SecretFileError

FILE_NAME = "gateway.toml"


def template() -> str:
    """The commented configuration with {placeholders}."""
    return (resources.files("kiezbox_gateway") / "template.toml").read_text(encoding="utf-8")


def initialise(folder: Path, values: dict[str, str]) -> Path:
    """Write everything and return the configuration's path.

    Raises SecretFileError, ConfigurationError; then nothing is left.
    """
    path = folder / FILE_NAME
    text = template()
    for name, value in ({"data_dir": "data"} | values).items():
        if any(character in value for character in '"\\') or not value.isprintable():
            raise SecretFileError(
                "{name} must not contain quotation marks, backslashes or control characters", name=name
            )
        text = text.replace("{" + name + "}", value)
    made: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        secret_files.write_secret(path, "")
        made.append(path)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o640)
        settings = configuration.load(path)
        for key_path, content in (
            (settings.radio.channel_key_file, secret_files.new_key_text()),
            (settings.boxes.district_key_file, secret_files.new_key_text()),
            (settings.web.token_file, secrets.token_urlsafe(32) + "\n"),
        ):
            secret_files.write_secret(key_path, content)
            made.append(key_path)
        if not settings.boxes.file.exists():
            secret_files.write_secret(
                settings.boxes.file, "# Boxes of this district; `kiezbox gateway enroll` adds to it.\n"
            )
    except OSError as error:
        _remove(made)
        raise SecretFileError("{folder} cannot be written: {reason}", folder=folder, reason=error.strerror) from None
    except BaseException:
        _remove(made)
        raise
    return path


def _remove(paths: list[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
