# SPDX-License-Identifier: Apache-2.0
"""Takes what a box rarely runs out of the linked module: it stays in flash, is loaded when it is called, and is garbage
afterwards (firmware/kiezbox/late.py).

1. firmware/late.toml names functions, methods (`Class.method`) or, with "all", a whole module. The sources do not know
   of it, so that what is rare can be changed by measuring.
2. Methods of one class make one unit, called as the class; functions of one module another, called as the module. Every
   line keeps its number, so that a traceback means the same line.
3. A method is found by `__getattr__` of its class, a function by its unit: `f` becomes `load_late("module").f`.
4. Constructors that run once, when a box starts, make one unit together; each is a function called as its class.

What could make this wrong is an error: a class that inherits, a decorator, `super()`, a name that somebody sets again.
Not here: linking (firmware_link.py), compiling (firmware_build.py). Called by the latter.
"""

import ast
import builtins
import symtable
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from kiezbox_simulator.firmware_link import Linked
from kiezbox_simulator.firmware_source import Edits, FirmwareSourceError, Unannotated

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_FINDER = "    __getattr__ = find_late"
_STARTER = "    __init__ = start_late"
_LOADER = "load_late"
_KNOWN = set(dir(builtins)) | {"__name__", "__file__"}
_STARTER_ONCE = "    __init__ = start_once"
_START = "start"
ALL = "all"
ONCE = "__init__ once"


@dataclass
class _Unit:
    name: str
    nodes: list[ast.stmt] = field(default_factory=list)
    indented: bool = False


def late_names(path: Path) -> dict[str, list[str] | str]:
    """What late.toml says: by module the names, or "all"; `Class.__init__ once` for those under `start`. Raises
    FirmwareSourceError."""
    read = tomllib.loads(path.read_text(encoding="utf-8"))
    given = read["late"]
    for module, kinds in read.get("start", {}).items():
        given[module] = [*given.get(module, []), *(f"{kind}.{ONCE}" for kind in kinds)]
    for module, names in given.items():
        if names != ALL and not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
            raise FirmwareSourceError(f'{path.name}: {module} wants a list of names, or "all"')
    return dict(given)


def split(linked: Linked, late: dict[str, list[str] | str]) -> tuple[str, dict[str, str]]:
    """The text that stays and those of the units by name. Raises FirmwareSourceError."""
    return _Split(linked, late).result()


class _Split:
    def __init__(self, linked: Linked, late: dict[str, list[str] | str]) -> None:
        self._linked = linked
        self._late = late
        self._lines = linked.text.splitlines()
        self._tree = ast.parse(linked.text)
        self._edits = Edits(linked.text)
        self._units: dict[str, _Unit] = {}
        self._owner: dict[str, str] = {}
        """Name of a late function or table: its unit."""

        self._found: set[tuple[str, str]] = set()
        self._once: dict[str, ast.ClassDef] = {}
        """Classes whose constructor is in the unit of the start, called as the class."""

    def result(self) -> tuple[str, dict[str, str]]:
        """See `split`."""
        for statement in self._tree.body:
            self._place(statement)
        for module, names in self._late.items():
            missing = {name for name in ([] if names == ALL else names) if (module, name) not in self._found}
            if missing or module not in self._linked.starts:
                raise FirmwareSourceError(f"late.toml: {module} has no {', '.join(sorted(missing)) or 'place here'}")
        self._check_globals()
        taken = {id(node): unit.name for unit in self._units.values() for node in unit.nodes}
        for node, inside in self._names(self._tree, "", taken, set()):
            unit = self._owner.get(node.id)
            if unit and unit != inside:
                self._edits.put(node, f'{_LOADER}("{unit}").{node.id}')
            elif inside == _START and node.id in self._once:
                self._edits.put(node, f"{self._linked.program}.{node.id}")
        for kind, owner in self._once.items():
            for part in owner.body:
                if isinstance(part, _Function) and part.name == "__init__":
                    self._edits.rename_definition(part, kind)
        whole = self._edits.text().splitlines()
        units = {unit.name: self._unit_text(unit, whole) for unit in self._units.values()}
        for statement in self._tree.body:
            self._take_out(statement, whole, taken)
        return "\n".join(whole) + "\n", units

    def _take_out(self, statement: ast.stmt, whole: list[str], taken: dict[int, str]) -> None:
        inner = statement.body if isinstance(statement, ast.ClassDef) else []
        gone = [node for node in [statement, *inner] if id(node) in taken]
        starter = _STARTER_ONCE if getattr(statement, "name", "") in self._once else _STARTER
        for node in gone:
            first, last = _lines_of(node)
            whole[first - 1 : last] = [""] * (last - first + 1)
        methods = [node for node in gone if isinstance(node, _Function) and node is not statement]
        # The first line of each that goes is free for what finds it.
        for line, found in (
            (starter, [node for node in methods if node.name == "__init__"]),
            (_FINDER, [node for node in methods if node.name != "__init__"]),
        ):
            if found:
                whole[_lines_of(found[0])[0] - 1] = line

    def _place(self, statement: ast.stmt) -> None:
        module = self._linked.module(statement.lineno)
        names = self._late.get(module, [])
        suffix = module.removeprefix("kiezbox.").replace(".", "_")
        if isinstance(statement, ast.ClassDef) and names != ALL:
            kind = statement.name.removesuffix(f"_{suffix}")
            wanted = {name.split(".")[1] for name in names if name.startswith(kind + ".")}
            called = {self._linked.short.get(name, name): name for name in wanted - {ONCE}}
            if ONCE in wanted:
                called["__init__"] = ONCE
                self._once[statement.name] = statement
            for node in statement.body:
                if isinstance(node, _Function) and node.name in called:
                    self._found.add((module, f"{kind}.{called[node.name]}"))
                    self._take(node, _START if called[node.name] == ONCE else statement.name, indented=True)
                    if statement.bases or self._has_heirs(statement.name):
                        raise FirmwareSourceError(f"late.toml: {kind} inherits or has heirs")
        elif names == ALL and not isinstance(statement, ast.Import | ast.ImportFrom):
            if isinstance(statement, ast.Expr | ast.Pass):
                return
            self._take(statement, suffix)
            self._owner.update(dict.fromkeys(_bound_names(statement), suffix))
        elif isinstance(statement, _Function):
            name = statement.name.removesuffix(f"_{suffix}")
            if name in names:
                self._found.add((module, name))
                self._take(statement, suffix)
                self._owner[statement.name] = suffix

    def _take(self, node: ast.stmt, unit: str, *, indented: bool = False) -> None:
        if isinstance(node, _Function) and node.decorator_list:
            raise FirmwareSourceError(f"late.toml: {node.name} has a decorator")
        if any(isinstance(one, ast.Name) and one.id == "super" for one in ast.walk(node)):
            raise FirmwareSourceError(f"late.toml: line {node.lineno} calls super()")
        self._units.setdefault(unit, _Unit(unit, indented=indented)).nodes.append(node)

    def _has_heirs(self, name: str) -> bool:
        return any(
            isinstance(base, ast.Name) and base.id == name
            for statement in self._tree.body
            if isinstance(statement, ast.ClassDef)
            for base in statement.bases
        )

    def _check_globals(self) -> None:
        """A unit has copies of the names it uses, so nobody may set one of them again."""
        changed = _set_again(self._tree)
        for unit in self._units.values():
            for node in unit.nodes:
                used = {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
                if used & changed:
                    raise FirmwareSourceError(f"late.toml: {unit.name} uses {min(used & changed)}, which is set again")

    def _names(
        self, node: ast.AST, inside: str, taken: dict[int, str], hidden: set[str]
    ) -> Iterator[tuple[ast.Name, str]]:
        """Every name that is read and is nobody's local, and the unit it stands in."""
        inside = taken.get(id(node), inside)
        if isinstance(node, _Function | ast.Lambda):
            hidden = hidden | {one.arg for one in ast.walk(node.args) if isinstance(one, ast.arg)}
            hidden |= {
                one.id for one in ast.walk(node) if isinstance(one, ast.Name) and not isinstance(one.ctx, ast.Load)
            }
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id not in hidden:
            yield node, inside
        for child in ast.iter_child_nodes(node):
            yield from self._names(child, inside, taken, hidden)

    def _unit_text(self, unit: _Unit, whole: list[str]) -> str:
        lines = [""] * len(whole)
        for node in unit.nodes:
            first, last = _lines_of(node)
            lines[first - 1 : last] = whole[first - 1 : last]
        first = _lines_of(unit.nodes[0])[0]
        if first < 4:
            raise FirmwareSourceError(f"late.toml: {unit.name} begins where its imports have to stand")
        if unit.indented:
            lines[first - 2] = "if 1:"
        needed = _needed("\n".join(lines) + "\n")
        if needed:
            program = self._linked.program
            own = f"; import {program}" if program in needed else ""
            lines[0] = f"from {program} import {', '.join(sorted(needed - {program}))}{own}"
        return "\n".join(lines).rstrip() + "\n"


def _needed(text: str) -> set[str]:
    """Names that a unit takes from the whole."""
    tree = Unannotated().visit(ast.parse(text))
    table = symtable.symtable(ast.unparse(tree), "unit", "exec")
    own = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_assigned() or symbol.is_imported()}
    used: set[str] = set()
    waiting = [table]
    while waiting:
        one = waiting.pop()
        waiting += one.get_children()
        used.update(
            symbol.get_name()
            for symbol in one.get_symbols()
            if symbol.is_referenced() and (symbol.is_global() or one is table)
        )
    return used - own - _KNOWN


def _set_again(tree: ast.Module) -> set[str]:
    return {name for node in ast.walk(tree) if isinstance(node, ast.Global) for name in node.names}


def _bound_names(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, ast.ClassDef | _Function):
        yield statement.name
        return
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def _lines_of(node: ast.stmt) -> tuple[int, int]:
    return node.lineno, node.end_lineno or node.lineno
