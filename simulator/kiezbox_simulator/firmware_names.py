# SPDX-License-Identifier: Apache-2.0
"""Short names for attributes and methods of the linked program, since a board's interpreter keeps every name in memory.

1. Two names may become one if no class has both: then no object can have both either. So some fifty short names stand
   for some five hundred.
2. A name stays if MicroPython or a module outside of the whole may mean it, or if a text is spelled like it: texts can
   be names (named tuples, getattr), and are in memory anyway. So do the names of functions, classes and modules.
3. Nobody sees the names: of a crash a box keeps the kind and the line (supervisor.py), and `kiezbox sim firmware
   --line` says where that is. A traceback that a programmer sees has true lines and functions, but its methods have
   names that mean nothing.

Not here: changing the texts (firmware_link.py). Called by it.
"""

import ast
import asyncio
import builtins
import hashlib
import io
import json
import keyword
import os
import select
import socket
import struct
import sys
import time
from collections import deque, namedtuple
from collections.abc import Iterable

from kiezbox_simulator.firmware_source import Edits, Unannotated

_MICROPYTHON = """
aclose alloc awrite aes buf cancel coro cur_task data decrypt digest done drain encrypt fileno flush
get_extra_info get_exception_handler ioctl ipoll map mem_alloc mem_free mem_info out_buf peek ph_child
ph_key poller popleft print_exception push queue_read queue_write read1 readblocks readinto readinto1 remove
s sleep_ms state statvfs ticks_add ticks_diff ticks_ms ticks_us threshold unregister wait_closed wait_for_ms
wait_io_event waiting writeblocks
"""
"""What its own objects have and CPython's have not."""

_FOREIGN = set(_MICROPYTHON.split()).union(
    *map(
        dir,
        [
            *(kind for kind in vars(builtins).values() if isinstance(kind, type)),
            *(asyncio, hashlib, io, json, os, select, socket, struct, sys, time),
            *(asyncio.Event, asyncio.Lock, asyncio.StreamReader, asyncio.StreamWriter, asyncio.Task),
            *(deque, hashlib.sha256(), io.BytesIO, io.StringIO, namedtuple("_", ()), select.poll, socket.socket),
            (letter for letter in ""),  # What a generator has.
        ],
    )
)
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
TEXT_IN_NAMES_MAX = 10
"""Texts up to this length stand in the interpreter's table of names."""

PLACES = tuple(f"_{letter}" for letter in _LETTERS)
SHORT = tuple(f"_{letter}{digit}" for digit in range(10) for letter in _LETTERS)
"""None of them is a parameter's, so that functions can be called so, too."""


def short_names(trees: Iterable[ast.Module], kept: set[str]) -> dict[str, str]:
    """What each attribute or method is called in the whole. kept: names to leave alone, those of other modules."""
    classes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    owners: dict[str, set[str]] = {}
    for kind in classes:
        for name in _members(kind):
            owners.setdefault(name, set()).add(kind.name)
    kin = _kin(classes, _aliases(trees))
    left = kept | _FOREIGN | _spelled(trees) | {name for name in owners if name.startswith("__")}
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and _is_set(node) and ast.unparse(node.value) != "self":
                owners[node.attr] = set(kin)  # Set from outside: on whose object is not known.
    taken: dict[str, set[str]] = {}
    short: dict[str, str] = {}
    for name in sorted(owners.keys() - left, key=lambda name: (-len(owners[name]), name)):
        families = {kin[owner] for owner in owners[name]}
        short[name] = next(one for one in SHORT if not taken.setdefault(one, set()) & families)
        taken[short[name]] |= families
    return short


def _members(node: ast.ClassDef) -> set[str]:
    """What a class and its objects have, as far as the class says it."""
    names: set[str] = set()
    for statement in node.body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(statement.name)
        else:
            names |= {one.id for one in ast.walk(statement) if isinstance(one, ast.Name) and _is_set(one)}
    for one in ast.walk(node):
        if isinstance(one, ast.Attribute) and _is_set(one) and ast.unparse(one.value) == "self":
            names.add(one.attr)
    return names


def _is_set(node: ast.Name | ast.Attribute) -> bool:
    return not isinstance(node.ctx, ast.Load)


def _aliases(trees: Iterable[ast.Module]) -> dict[str, str]:
    imports = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return {alias.asname: alias.name for node in imports for alias in node.names if alias.asname}


def _kin(classes: list[ast.ClassDef], aliases: dict[str, str]) -> dict[str, str]:
    """By class its family: those that inherit from each other, or have the same name, share all names."""
    family = {node.name: node.name for node in classes}
    for node in classes:
        for base in node.bases:
            name = ast.unparse(base).split(".")[-1]
            name = aliases.get(name, name)
            if name in family:
                before, after = family[node.name], family[name]
                family = {name: after if one == before else one for name, one in family.items()}
    return family


def _spelled(trees: Iterable[ast.Module]) -> set[str]:
    """Texts, and the names of what is imported from MicroPython, and of keywords in calls."""
    names: set[str] = set()
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                names.add(node.value)
            elif isinstance(node, ast.Import) or (
                isinstance(node, ast.ImportFrom) and not str(node.module).startswith("kiezbox")
            ):
                names |= {alias.asname or alias.name for alias in node.names}
            elif isinstance(node, ast.keyword) and node.arg:
                names.add(node.arg)
    return names


def long_texts(text: str) -> set[str]:
    """Texts of a program that are spelled like names and too long to be kept as such by themselves."""
    return {one for one in _texts_like_names(ast.parse(text)) if len(one) > TEXT_IN_NAMES_MAX}


def with_texts_as_names(text: str, line: int, names: set[str]) -> str:
    """The same program with something in the free line `line`, counted from 1: a text that the compiler has met as a
    name costs a box 13 bytes, another one that is longer than ten bytes 40."""
    found = sorted(names)
    lines = text.splitlines()
    if found:
        lines[line - 1] = f"if 0: {'; '.join(found)}"
    return "\n".join(lines) + "\n"


def _texts_like_names(tree: ast.Module) -> set[str]:
    nodes = list(ast.walk(_Plain().visit(tree)))
    texts = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    like_names = {text for text in texts if text.isidentifier() and text.isascii() and not text.startswith("__")}
    return {text for text in like_names if not keyword.iskeyword(text) and text not in sys.stdlib_module_names}


class _Plain(Unannotated):
    """Takes out docstrings as well: the interpreter never looks at them either."""

    def visit_Expr(self, node: ast.Expr) -> ast.stmt:  # noqa: N802  ast's name
        return ast.Pass() if isinstance(node.value, ast.Constant) else self.generic_visit(node)  # type: ignore[return-value]


def inlined(text: str) -> str:
    """The same program, as many lines, with a table or text that is used in one place put there: a name for it would
    only be one more."""
    tree = ast.parse(text)
    uses: dict[str, list[ast.Name]] = {}
    hidden = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            uses.setdefault(node.id, []).append(node)
    edits = Edits(text)
    for statement in tree.body:
        if not (isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)):
            continue
        name = statement.targets[0].id
        read = [node for node in uses[name] if isinstance(node.ctx, ast.Load)]
        if len(uses[name]) == 2 and len(read) == 1 and name not in hidden and _is_literal(statement.value):
            edits.put(statement, "")
            edits.put(read[0], f"({ast.unparse(statement.value)})")
    return edits.text()


def _is_literal(node: ast.expr) -> bool:
    if isinstance(node, ast.Tuple):
        return all(map(_is_literal, node.elts))
    return isinstance(node, ast.Constant)
