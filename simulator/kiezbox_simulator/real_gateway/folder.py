# SPDX-License-Identifier: Apache-2.0
"""A gateway's folder, made with `kiezbox gateway init`: what an operator changes in it, and its keys.

What is read and written are the documented files: `gateway.toml`, `boxes.toml`, keys as hexadecimal text, the API
token.
"""

import asyncio
import json
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from kiezbox_simulator.program import installed_command


class FolderError(Exception):
    """A command that makes the folder failed, or its files are not as documented; one sentence."""


@dataclass(frozen=True)
class Folder:
    """A gateway's folder."""

    path: Path

    @property
    def configuration(self) -> Path:
        """The configuration file."""
        return self.path / "gateway.toml"

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.path / "data" / "gateway.sqlite"

    @property
    def token(self) -> str:
        """The operator's token of the API."""
        return (self.path / "keys" / "api.token").read_text().strip()

    def key(self, name: str) -> bytes:
        """The content of one key file, by its name without the folder."""
        return bytes.fromhex((self.path / "keys" / name).read_text().strip())

    def change(self, lines: Mapping[str, str]) -> None:
        """Replace settings: the text as `init` wrote it, and what shall stand there. Raises FolderError."""
        text = self.configuration.read_text()
        for old, new in lines.items():
            if old not in text:
                raise FolderError(f"{self.configuration} does not have {old!r} any more")
            text = text.replace(old, new)
        self.configuration.write_text(text)

    async def enroll(self, node_num: int, name: str) -> bytes:
        """Add a box as an operator does; its new root key."""
        await kiezbox("gateway", "enroll", f"{node_num:08x}", name, "--config", str(self.configuration))
        return self.key(f"box-{node_num:08x}.key")

    def take_over(self, channel_key: bytes, district_key: bytes, boxes: Iterable[tuple[int, str, bytes]]) -> None:
        """Put a district's keys in the place of the new ones, as for a second gateway: the channel's, the district's
        private key (32 bytes each), and of each box its number, name and root key."""
        keys = self.path / "keys"
        for name, key in (("channel.key", channel_key), ("district_ed25519.key", district_key)):
            (keys / name).write_text(key.hex() + "\n")
        tables = []
        for node_num, name, root_key in boxes:
            path = keys / f"box-{node_num:08x}.key"
            path.touch(mode=0o600)
            path.write_text(root_key.hex() + "\n")
            tables.append(
                f'[[box]]\nnode_num = "{node_num:08x}"\nname = {json.dumps(name)}\nroot_key_file = "keys/{path.name}"\n'
            )
        (self.path / "boxes.toml").write_text("\n".join(tables))


def empty_own_folder(path: Path, command: str) -> None:
    """Make this folder empty for a run of `command`; what no run made stays. Raises FolderError then."""
    marker = path / f"made-by-{command.replace(' ', '-')}"
    if path.exists() and any(path.iterdir()) and not marker.exists():
        raise FolderError(f"{path} holds files that `{command}` did not make; choose another folder with --out.")
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    marker.write_text(f"This folder is emptied by each `{command}`.\n")


async def init(
    path: Path, *, name: str, district: str, station: str, radio_port: int, city_port: int, lines: Mapping[str, str]
) -> Folder:
    """Make the folder, which must be new; `lines` as for `Folder.change`. Raises FolderError."""
    await kiezbox(
        "gateway", "init", str(path), "--name", name, "--district", district, "--station", station,
        "--radio", f"tcp://127.0.0.1:{radio_port}", "--city", f"mqtt://127.0.0.1:{city_port}", "--port", "0",
    )  # fmt: skip
    folder = Folder(path)
    folder.change(lines)
    return folder


async def kiezbox(*arguments: str) -> None:
    """Run the command `kiezbox`. Raises FolderError with the last line that it said."""
    process = await asyncio.create_subprocess_exec(
        installed_command("kiezbox"), *arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    output, _ = await process.communicate()
    if process.returncode:
        said = output.decode(errors="replace").strip().splitlines()
        raise FolderError(f"`kiezbox {' '.join(arguments[:2])}` failed: {said[-1] if said else 'no reason given'}")
