# SPDX-License-Identifier: Apache-2.0
"""Keys and tokens: files that only the gateway's user may read. The list of boxes is in `box_files`.

Every error is a SecretFileError with one sentence that names the file and never its content.
"""

import os
import secrets
import stat
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiezbox_gateway.disk import sync_folder
from kiezbox_gateway.language import SpokenError

CHANNEL_KEY_LENGTHS = (16, 32)


class SecretFileError(SpokenError):
    """A key file is missing, readable by others or malformed."""


def read_secret(path: Path) -> bytes:
    """Content of a secret file. Raises SecretFileError when others than its owner may read it."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(65_536)
    except FileNotFoundError:
        raise SecretFileError(
            "{path} is missing; `kiezbox gateway init` makes the keys of a new gateway", path=path
        ) from None
    except OSError as error:
        raise SecretFileError("{path} cannot be read: {reason}", path=path, reason=error.strerror) from None
    if stat.S_IMODE(mode) & 0o077:
        raise SecretFileError("{path} is open to other users; run: chmod 600 {path}", path=path)
    return content


def read_hex_key(path: Path, lengths: tuple[int, ...]) -> bytes:
    """A key written as hexadecimal text."""
    try:
        key = bytes.fromhex(read_secret(path).decode("ascii").strip())
    except (ValueError, UnicodeDecodeError):
        raise SecretFileError("{path} must hold a key as hexadecimal text", path=path) from None
    if len(key) not in lengths:
        raise SecretFileError(
            "{path} must hold a key of {lengths} bytes", path=path, lengths=" / ".join(map(str, lengths))
        )
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
        raise SecretFileError("{path} must hold a token of at least 32 printable characters", path=path)
    return token


def write_secret(path: Path, content: str) -> None:
    """Write a new file with mode 600. Raises SecretFileError when it exists: a key is never overwritten."""
    if not path.parent.is_dir():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _give_to_owner(path.parent)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise SecretFileError("{path} exists already and is not overwritten", path=path) from None
    except OSError as error:
        raise SecretFileError("{path} cannot be written: {reason}", path=path, reason=error.strerror) from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        _give_to_owner(path)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _give_to_owner(path: Path) -> None:
    """What root makes for the gateway's user belongs to whom the folder around it belongs."""
    if os.geteuid() == 0:
        folder = path.parent.stat()
        os.chown(path, folder.st_uid, folder.st_gid)


def replace_secret(path: Path, content: str) -> None:
    """Put new content in a secret file's place, whole or not at all. Raises SecretFileError."""
    partial = path.with_name(path.name + ".partial")
    try:
        partial.unlink(missing_ok=True)
        write_secret(partial, content)
        partial.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise SecretFileError("{path} cannot be written: {reason}", path=path, reason=error.strerror) from None


def new_key_text() -> str:
    """32 fresh random bytes as a line of hexadecimal text."""
    return secrets.token_bytes(32).hex() + "\n"
