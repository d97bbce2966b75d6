# SPDX-License-Identifier: Apache-2.0
"""Keys, tokens and the list of boxes: files that only the gateway's user may read.

Every error is a SecretFileError with one sentence that names the file and never its content.
"""

import os
import secrets
import stat
import tomllib
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import BaseModel, ConfigDict, Field, ValidationError

ROOT_KEY_LENGTH = 32
CHANNEL_KEY_LENGTHS = (16, 32)


class SecretFileError(Exception):
    """A key file is missing, readable by others or malformed."""


@dataclass(frozen=True)
class BoxIdentity:
    """One box of the district. `root_key` is 32 bytes; the position in degrees (WGS 84), where it is known."""

    node_num: int
    name: str
    root_key: bytes
    latitude: float | None = None
    longitude: float | None = None


class _BoxEntry(BaseModel):
    model_config = ConfigDict(extra="forbid")
    node_num: str
    name: str
    root_key_file: Path
    latitude: float | None = Field(default=None, ge=-90, le=90)
    longitude: float | None = Field(default=None, ge=-180, le=180)


def read_secret(path: Path) -> bytes:
    """Content of a secret file. Raises SecretFileError when others than its owner may read it."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(65_536)
    except FileNotFoundError:
        raise SecretFileError(f"{path} is missing; `kiezbox gateway init` makes the keys of a new gateway") from None
    except OSError as error:
        raise SecretFileError(f"{path} cannot be read: {error.strerror}") from None
    if stat.S_IMODE(mode) & 0o077:
        raise SecretFileError(f"{path} is open to other users; run: chmod 600 {path}")
    return content


def read_hex_key(path: Path, lengths: tuple[int, ...]) -> bytes:
    """A key written as hexadecimal text."""
    try:
        key = bytes.fromhex(read_secret(path).decode("ascii").strip())
    except (ValueError, UnicodeDecodeError):
        raise SecretFileError(f"{path} must hold a key as hexadecimal text") from None
    if len(key) not in lengths:
        raise SecretFileError(f"{path} must hold a key of {' or '.join(map(str, lengths))} bytes")
    return key


def read_district_key(path: Path) -> Ed25519PrivateKey:
    """The district's signing key: 32 bytes of an Ed25519 private key as hexadecimal text."""
    return Ed25519PrivateKey.from_private_bytes(read_hex_key(path, (32,)))


def district_public_key(key: Ed25519PrivateKey) -> bytes:
    """The 32 bytes that boxes are given."""
    return key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def read_token(path: Path) -> str:
    """The bearer token of the HTTP API, at least 32 characters."""
    token = read_secret(path).decode("ascii", "replace").strip()
    if len(token) < 32 or not token.isprintable():
        raise SecretFileError(f"{path} must hold a token of at least 32 printable characters")
    return token


def read_boxes(path: Path) -> list[BoxIdentity]:
    """The boxes listed in boxes.toml, with their keys. Raises SecretFileError for the first thing wrong."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SecretFileError(f"{path} is missing; `kiezbox gateway enroll` starts it") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SecretFileError(f"{path} cannot be read: {error}") from None
    if set(values) - {"box"} or not isinstance(values.get("box", []), list):
        raise SecretFileError(f"{path} may hold [[box]] tables only")
    boxes: dict[int, BoxIdentity] = {}
    for position, value in enumerate(values.get("box", []), 1):
        try:
            entry = _BoxEntry.model_validate(value)
            node_num = int(entry.node_num, 16)
        except (ValidationError, ValueError):
            raise SecretFileError(
                f'{path}: box {position} needs node_num (hexadecimal, as "7c3e51a4"), name and root_key_file'
            ) from None
        if not 0 < node_num < 0xFFFFFFFF or node_num in boxes:
            raise SecretFileError(f"{path}: box {position} has a node_num that is not valid or occurs twice")
        key = read_hex_key(path.parent / entry.root_key_file, (ROOT_KEY_LENGTH,))
        boxes[node_num] = BoxIdentity(node_num, entry.name, key, entry.latitude, entry.longitude)
    return list(boxes.values())


def write_secret(path: Path, content: str) -> None:
    """Write a new file with mode 600. Raises SecretFileError when it exists: a key is never overwritten."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise SecretFileError(f"{path} exists already and is not overwritten") from None
    except OSError as error:
        raise SecretFileError(f"{path} cannot be written: {error.strerror}") from None
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def new_key_text() -> str:
    """32 fresh random bytes as a line of hexadecimal text."""
    return secrets.token_bytes(32).hex() + "\n"


def enroll_box(boxes_file: Path, node_num: int, name: str) -> Path:
    """Make a root key for a new box, add the box to boxes.toml and return the key's path."""
    if any(character in name for character in '"\\') or not name.isprintable() or not name:
        raise SecretFileError("a box name is printable text without quotation marks and backslashes")
    existing = read_boxes(boxes_file) if boxes_file.exists() else []
    if any(box.node_num == node_num for box in existing):
        raise SecretFileError(f"box {node_num:08x} is in {boxes_file} already")
    key_path = boxes_file.parent / "keys" / f"box-{node_num:08x}.key"
    write_secret(key_path, new_key_text())
    entry = f'\n[[box]]\nnode_num = "{node_num:08x}"\nname = "{name}"\nroot_key_file = "keys/{key_path.name}"\n'
    with boxes_file.open("a", encoding="utf-8") as file:
        file.write(entry)
        file.flush()
        os.fsync(file.fileno())
    return key_path
