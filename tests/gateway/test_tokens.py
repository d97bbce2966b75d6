# SPDX-License-Identifier: Apache-2.0
"""Tokens: only their hash is kept, a change of the file counts at once, a broken file changes nothing."""

import os
from pathlib import Path

import pytest

from kiezbox_gateway import secret_files, tokens
from kiezbox_gateway.secret_files import SecretFileError
from kiezbox_gateway.tokens import Role, TokenList


def test_added_listed_revoked(tmp_path: Path) -> None:
    file = tmp_path / "tokens.toml"
    secret_files.write_secret(tmp_path / "own", "o" * 43)
    held = TokenList(tmp_path / "own", file)
    assert tokens.read(file) == []
    made = tokens.add(file, "wache", Role.READER)
    assert made not in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    found = held.find(made)
    assert found is not None
    assert (found.name, found.role) == ("wache", Role.READER)
    own = held.find("o" * 43)
    assert own is not None
    assert own.role == Role.OPERATOR
    tokens.revoke(file, "wache")
    assert held.find(made) is None


@pytest.mark.parametrize("name", ["", "A", "ü", "a b", "a" * 41, "-a", 'a"\n[[token]]', "\x00", "🚨"])
def test_names(tmp_path: Path, name: str) -> None:
    with pytest.raises(SecretFileError):
        tokens.add(tmp_path / "tokens.toml", name, Role.READER)
    assert not (tmp_path / "tokens.toml").exists()


def test_twice_and_unknown(tmp_path: Path) -> None:
    file = tmp_path / "tokens.toml"
    tokens.add(file, "a", Role.READER)
    with pytest.raises(SecretFileError, match="already"):
        tokens.add(file, "a", Role.OPERATOR)
    with pytest.raises(SecretFileError, match="no token b"):
        tokens.revoke(file, "b")


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "x = 1",
        "[[token]]",
        '[[token]]\nname = "a"\nrole = "king"\nsha256 = "00"',
        "token = 1",
        "token = [1]",
        "\x00",
    ],
)
def test_broken_files(tmp_path: Path, text: str) -> None:
    file = tmp_path / "tokens.toml"
    secret_files.write_secret(tmp_path / "own", "o" * 43)
    made = tokens.add(file, "a", Role.READER)
    held = TokenList(tmp_path / "own", file)
    file.write_text(text)
    os.utime(file, ns=(1, 1))
    with pytest.raises(SecretFileError):
        tokens.read(file)
    # What was valid stays so until the file can be read again.
    assert held.find(made) is not None
    with pytest.raises(SecretFileError):
        TokenList(tmp_path / "own", file)
