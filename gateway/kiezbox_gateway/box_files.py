# SPDX-License-Identifier: Apache-2.0
"""The list of boxes, `boxes.toml`, and a key file for each box beside it.

A new root key on its way to a box stands in a second file, `box-NODE.key.next`, until the box has used it. What a
running gateway knows of it is in `roster`. Raises SecretFileError with one sentence that never holds a key.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kiezbox_gateway import secret_files
from kiezbox_gateway.disk import sync_folder
from kiezbox_gateway.secret_files import SecretFileError

ROOT_KEY_LENGTH = 32
NEXT = ".next"
HEADING = "[[box]]"


@dataclass(frozen=True)
class BoxIdentity:
    """One box of the district. `root_key` is 32 bytes; the position in degrees (WGS 84), where it is known.

    `next_root_key` is one that the box has not used yet.
    """

    node_num: int
    name: str
    root_key: bytes
    latitude: float | None = None
    longitude: float | None = None
    root_key_file: Path | None = None
    next_root_key: bytes | None = None


class _BoxEntry(BaseModel):
    model_config = ConfigDict(extra="forbid")
    node_num: str
    name: str
    root_key_file: Path
    latitude: float | None = Field(default=None, ge=-90, le=90)
    longitude: float | None = Field(default=None, ge=-180, le=180)


def read_boxes(path: Path) -> list[BoxIdentity]:
    """The boxes listed in boxes.toml, with their keys. Raises SecretFileError for the first thing wrong."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SecretFileError("{path} is missing; `kiezbox gateway enroll` starts it", path=path) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SecretFileError("{path} cannot be read: {error}", path=path, error=error) from None
    if set(values) - {"box"} or not isinstance(values.get("box", []), list):
        raise SecretFileError("{path} may hold [[box]] tables only", path=path)
    boxes: dict[int, BoxIdentity] = {}
    for position, value in enumerate(values.get("box", []), 1):
        try:
            entry = _BoxEntry.model_validate(value)
            node_num = int(entry.node_num, 16)
        except (ValidationError, ValueError):
            raise SecretFileError(
                '{path}: box {position} needs node_num (hexadecimal, as "7c3e51a4"), name and root_key_file',
                path=path,
                position=position,
            ) from None
        if not 0 < node_num < 0xFFFFFFFF or node_num in boxes:
            raise SecretFileError(
                "{path}: box {position} has a node_num that is not valid or occurs twice", path=path, position=position
            )
        key_file = path.parent / entry.root_key_file
        key = secret_files.read_hex_key(key_file, (ROOT_KEY_LENGTH,))
        next_file = _next(key_file)
        next_key = secret_files.read_hex_key(next_file, (ROOT_KEY_LENGTH,)) if next_file.exists() else None
        boxes[node_num] = BoxIdentity(node_num, entry.name, key, entry.latitude, entry.longitude, key_file, next_key)
    return list(boxes.values())


def enroll_box(boxes_file: Path, node_num: int, name: str) -> Path:
    """Make a root key for a new box, add the box to boxes.toml and return the key's path."""
    if any(character in name for character in '"\\') or not name.isprintable() or not name:
        raise SecretFileError("a box name is printable text without quotation marks and backslashes")
    existing = read_boxes(boxes_file) if boxes_file.exists() else []
    if any(box.node_num == node_num for box in existing):
        raise SecretFileError("box {node_num:08x} is in {boxes_file} already", node_num=node_num, boxes_file=boxes_file)
    key_path = boxes_file.parent / "keys" / f"box-{node_num:08x}.key"
    secret_files.write_secret(key_path, secret_files.new_key_text())
    entry = f'\n[[box]]\nnode_num = "{node_num:08x}"\nname = "{name}"\nroot_key_file = "keys/{key_path.name}"\n'
    before = boxes_file.read_text(encoding="utf-8") if boxes_file.exists() else ""
    secret_files.replace_secret(boxes_file, before + entry)
    return key_path


def remove_box(boxes_file: Path, node_num: int) -> BoxIdentity:
    """Take a box out of the list and delete its keys. Everything else in the file stays as it is."""
    boxes = read_boxes(boxes_file)
    wanted = next((box for box in boxes if box.node_num == node_num), None)
    if wanted is None or wanted.root_key_file is None:
        raise SecretFileError("box {node_num:08x} is not in {boxes_file}", node_num=node_num, boxes_file=boxes_file)
    head, *tables = _tables(boxes_file.read_text(encoding="utf-8"))
    left = [table for table in tables if not _is_of(table, node_num)]
    if len(left) != len(tables) - 1:
        raise SecretFileError("{path} is written in a way that only you can change; take the box out", path=boxes_file)
    secret_files.replace_secret(boxes_file, head + "".join(left))
    for path in (wanted.root_key_file, _next(wanted.root_key_file)):
        path.unlink(missing_ok=True)
    sync_folder(wanted.root_key_file.parent)
    return wanted


def _tables(text: str) -> list[str]:
    """What stands before the first table, then each table with its heading."""
    found = [""]
    for line in text.splitlines(keepends=True):
        if line.split("#")[0].strip() == HEADING:
            found.append("")
        found[-1] += line
    return found


def _is_of(table: str, node_num: int) -> bool:
    try:
        (entry,) = tomllib.loads(table)["box"]
        return int(entry["node_num"], 16) == node_num
    except (tomllib.TOMLDecodeError, KeyError, ValueError, TypeError):
        return False


def begin_key_change(boxes_file: Path, node_num: int) -> Path:
    """Make a new root key for a box; the old one counts until the box has used it. Returns the new key's file."""
    for box in read_boxes(boxes_file):
        if box.node_num == node_num and box.root_key_file is not None:
            path = _next(box.root_key_file)
            secret_files.write_secret(path, secret_files.new_key_text())
            sync_folder(path.parent)
            return path
    raise SecretFileError("box {node_num:08x} is not in {boxes_file}", node_num=node_num, boxes_file=boxes_file)


def finish_key_change(box: BoxIdentity) -> None:
    """The box has used its new key: the old one is gone for good."""
    assert box.root_key_file is not None  # noqa: S101  Read from a file.
    try:
        _next(box.root_key_file).replace(box.root_key_file)
        sync_folder(box.root_key_file.parent)
    except OSError as error:
        raise SecretFileError(
            "{path} cannot be written: {reason}", path=box.root_key_file, reason=error.strerror
        ) from None


def _next(path: Path) -> Path:
    return path.with_name(path.name + NEXT)
