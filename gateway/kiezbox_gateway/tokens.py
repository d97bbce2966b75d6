# SPDX-License-Identifier: Apache-2.0
"""Tokens of the HTTP API: who holds one, and what it lets them do.

`keys/api.token` is the operator's own, which the command line uses. Others are in `keys/api-tokens.toml`, where only
the SHA-256 of each stands (a token is 256 random bits, so nothing slower is needed), its name and its role. The file is
read again when it has changed, so a revoked token ends at once.
"""

import contextlib
import hashlib
import hmac
import secrets
import tomllib
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kiezbox_gateway import secret_files
from kiezbox_gateway.secret_files import SecretFileError

OWN_NAME = "command line"
TOKENS_MAX = 100


class Role(IntEnum):
    """Each may do what those before it may."""

    OBSERVER = 1
    """Everything but what residents wrote."""
    READER = 2
    """Calls for help as well."""
    OPERATOR = 3
    """Answers, commands, erasing."""


@dataclass(frozen=True)
class Token:
    """One that is valid. `digest` is the SHA-256 of the token as hexadecimal text."""

    name: str
    role: Role
    digest: str


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")
    role: str = Field(pattern="^(observer|reader|operator)$")
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class TokenList:
    """The tokens of one gateway. Raises SecretFileError when a file cannot be used."""

    def __init__(self, own_file: Path, list_file: Path) -> None:
        self._own_file, self._list_file = own_file, list_file
        self._seen: tuple[object, ...] = ()
        self._tokens: list[Token] = []
        self._load()

    def find(self, given: str) -> Token | None:
        """The token with this text. Takes as long for a wrong one."""
        return self.by_digest(digest(given))

    def by_digest(self, wanted: str) -> Token | None:
        """The token with this SHA-256."""
        # A file that has become unreadable: what was valid stays so until it can be read again.
        with contextlib.suppress(SecretFileError):
            self._load()
        found = None
        for token in self._tokens:
            if hmac.compare_digest(token.digest, wanted):
                found = token
        return found

    def _load(self) -> None:
        seen = (_stamp(self._own_file), _stamp(self._list_file))
        if seen == self._seen:
            return
        own = Token(OWN_NAME, Role.OPERATOR, digest(secret_files.read_token(self._own_file)))
        self._tokens = [own, *read(self._list_file)]
        self._seen = seen


def digest(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token.encode(errors="surrogateescape")).hexdigest()


def read(path: Path) -> list[Token]:
    """The tokens of a list file; none when there is no file. Raises SecretFileError."""
    if not path.exists():
        return []
    try:
        values = tomllib.loads(secret_files.read_secret(path).decode())
        entries = [_Entry.model_validate(each) for each in values.pop("token", [])]
        if values or len({each.name for each in entries}) != len(entries):
            raise ValueError
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, ValidationError, ValueError, TypeError):
        raise SecretFileError("{path} may hold [[token]] tables with name, role and sha256 only", path=path) from None
    return [Token(each.name, Role[each.role.upper()], each.sha256) for each in entries]


def add(path: Path, name: str, role: Role) -> str:
    """Make a token and return it; it can be read nowhere later. Raises SecretFileError."""
    tokens = read(path)
    if any(token.name == name for token in tokens):
        raise SecretFileError("there is a token {name} already", name=name)
    if len(tokens) >= TOKENS_MAX:
        raise SecretFileError("there are {count} tokens already; revoke one first", count=len(tokens))
    text = secrets.token_urlsafe(32)
    try:
        _Entry(name=name, role=role.name.lower(), sha256=digest(text))
    except ValidationError:
        raise SecretFileError("the name of a token is 1 to 40 characters of a-z, 0-9 and -") from None
    _write(path, [*tokens, Token(name, role, digest(text))])
    return text


def revoke(path: Path, name: str) -> None:
    """End a token. Raises SecretFileError when there is none of this name."""
    tokens = read(path)
    left = [token for token in tokens if token.name != name]
    if len(left) == len(tokens):
        raise SecretFileError("there is no token {name}", name=name)
    _write(path, left)


def _write(path: Path, tokens: list[Token]) -> None:
    text = "# Tokens of the HTTP API; `kiezbox gateway token` writes this file.\n" + "".join(
        f'\n[[token]]\nname = "{token.name}"\nrole = "{token.role.name.lower()}"\nsha256 = "{token.digest}"\n'
        for token in tokens
    )
    secret_files.replace_secret(path, text)


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino
