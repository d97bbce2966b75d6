# SPDX-License-Identifier: Apache-2.0
"""All modules that a program needs, as the text of one module.

Each module on a board has a dictionary of its own, names of files and packages, tables of the names and texts that its
code uses, and an entry for each thing that it imports: some 350 bytes of memory, and a box has sixty. In one module all
that exists once.

1. The texts follow each other as they import each other, in full length; `Linked.place` tells whose line one is.
2. A name that two modules use for different things gets the module's name behind it. The program's own names stay.
3. `from kiezbox.x import name` goes, at the top and inside functions, and so does `from kiezbox import x`: then
   `x.name` becomes the name itself. A module can be used in no other way, and no local name may hide it then.

4. A parameter that no call names, and whose name is that of nothing else, is called by its place: the interpreter keeps
   the names of parameters in memory. Tracebacks do not show them.
5. Attributes and methods get short names that many of them share (firmware_names.py).

Not here: constants (firmware_source.py), compiling (firmware_build.py). Called by the latter.
"""

import ast
import builtins
from collections.abc import Iterable
from dataclasses import dataclass, field

from kiezbox_simulator.firmware_names import PLACES, SHORT, TEXT_IN_NAMES_MAX, inlined, short_names
from kiezbox_simulator.firmware_source import Edits, FirmwareSourceError

_PACKAGE = "kiezbox"
_BUILT_IN = set(dir(builtins)) | {"__name__", "__file__", "const"}
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass(frozen=True)
class Linked:
    """`text` to compile; `program`: the module that the whole is called after; `starts`: first line of each module,
    counted from 1; `short`: what attributes and methods are called, if not as they were."""

    program: str
    text: str
    starts: dict[str, int]
    short: dict[str, str]

    def module(self, line: int) -> str:
        """Whose line that is."""
        return max((name for name in self.starts if self.starts[name] <= line), key=self.starts.__getitem__)

    def place(self, line: int) -> str:
        """MODULE:LINE of a line that a traceback names."""
        module = self.module(line)
        return f"{module}:{line - self.starts[module] + 1}"


def link(
    program: str, sources: dict[str, str], first: str | None = None, others: Iterable[str] | None = None
) -> Linked:
    """The module `program` with all it imports of `sources`, texts by module name; `first` stands before all others.
    others: texts of modules that use the whole's objects, or make objects for it; without them attributes keep their
    names. Raises FirmwareSourceError."""
    modules: dict[str, _Module] = {}
    if first:
        _collect(first, sources, modules)
    _collect(program, sources, modules)
    users: dict[str, list[str]] = {}
    for module in modules.values():
        for name in module.own:
            users.setdefault(name, []).append(module.name)
    shared = {name for module in modules.values() for name in module.outer} | _BUILT_IN
    for module in modules.values():
        for name in module.own:
            alone = users[name] == [module.name] and name not in shared
            kept = alone or module.name == program
            module.renamed[name] = name if kept else f"{name}_{module.name.replace('.', '_').removeprefix('kiezbox_')}"
    short: dict[str, str] = {}
    if others is not None:
        public = {name for text in others for name in _names_in(ast.parse(text)) if not name.startswith("_")}
        short = short_names([module.tree for module in modules.values()], public)
    needed = (
        set()
        .union(
            *(_needed_names(module.tree) for module in modules.values()), *(module.own for module in modules.values())
        )
        .difference(short)
    )
    known = set().union(*(_names_in(module.tree) for module in modules.values())) & {*PLACES, *SHORT}
    if known:
        raise FirmwareSourceError(f"{min(known)}: short names are made so")
    text = ""
    starts = {}
    for module in modules.values():
        starts[module.name] = text.count("\n") + 1
        text += _Rewriter(module, modules, needed, short).text().rstrip("\n") + "\n"
    return Linked(program, inlined(text), starts, short)


@dataclass
class _Module:
    name: str
    source: str
    tree: ast.Module
    own: set[str] = field(default_factory=set)
    outer: set[str] = field(default_factory=set)
    """Names imported from MicroPython's own modules."""
    taken: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Name here: module and name there."""
    modules: dict[str, str] = field(default_factory=dict)
    """Name here: module."""
    renamed: dict[str, str] = field(default_factory=dict)


def _collect(name: str, sources: dict[str, str], found: dict[str, _Module]) -> None:
    """Depth first, so that what is imported stands before who imports it."""
    module = _Module(name, sources[name], ast.parse(sources[name]))
    wanted = []
    for statement in ast.walk(module.tree):
        if isinstance(statement, ast.ImportFrom) and _is_ours(statement):
            for alias in statement.names:
                here, there = alias.asname or alias.name, f"{statement.module}.{alias.name}"
                if there in sources:
                    module.modules[here] = there
                    wanted.append(there)
                else:
                    module.taken[here] = (str(statement.module), alias.name)
                    wanted.append(str(statement.module))
    for statement in module.tree.body:
        if isinstance(statement, ast.Import) or (isinstance(statement, ast.ImportFrom) and not _is_ours(statement)):
            module.outer.update(alias.asname or alias.name for alias in statement.names)
    module.own = _bound(module.tree) - module.outer - set(module.taken) - set(module.modules)
    for one in wanted:
        if one not in found:
            _collect(one, sources, found)
    found[name] = module


def _needed_names(tree: ast.Module) -> set[str]:
    """Names that are in memory anyhow, or that a call uses to name a parameter."""
    names: set[str] = {"self"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            names.add(node.attr)
        elif isinstance(node, ast.keyword) and node.arg:
            names.add(node.arg)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Global | ast.Nonlocal):
            names.update(node.names)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names.update(alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) <= TEXT_IN_NAMES_MAX:
            names.add(node.value)
    return names


def _names_in(tree: ast.Module) -> set[str]:
    """All that a module calls anything."""
    names = _needed_names(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            names.add(node.id)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names.add(node.value)
    return names


def _is_ours(statement: ast.ImportFrom) -> bool:
    return str(statement.module).split(".")[0] == _PACKAGE


def _bound(scope: ast.AST) -> set[str]:
    """Names that a scope binds itself."""
    names: set[str] = set()
    declared: set[str] = set()
    if isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        arguments = scope.args
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
        names.update(one.arg for one in every if one)
    waiting = list(ast.iter_child_nodes(scope))
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
            continue
        if isinstance(node, ast.Global | ast.Nonlocal):
            declared.update(node.names)
        if isinstance(node, ast.Import) or (isinstance(node, ast.ImportFrom) and not _is_ours(node)):
            names.update(alias.asname or alias.name for alias in node.names)
        if isinstance(node, ast.ExceptHandler) and node.name:
            names.add(node.name)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
            names.add(node.id)
        if not isinstance(node, _SCOPES):
            waiting += ast.iter_child_nodes(node)
    return names - declared


_Names = dict[str, str]


class _Rewriter:
    def __init__(self, module: _Module, modules: dict[str, _Module], needed: set[str], short: dict[str, str]) -> None:
        self._module = module
        self._short = short
        self._needed = needed
        self._modules = modules
        self._edits = Edits(module.source)
        for statement in module.tree.body:
            self._visit(statement, [])

    def text(self) -> str:
        """With all changes, as many lines as before."""
        return self._edits.text()

    def _global(self, name: str) -> str:
        """What a name of the module's own level is called in the whole."""
        module = self._module
        if name in module.taken:
            there, other = module.taken[name]
            return _resolved(self._modules, there, other)
        return module.renamed.get(name, name)

    def _scope(self, node: ast.AST, scopes: "list[_Names]") -> "_Names":
        """The names that a scope binds and what they are called. Places go on from those of the scopes around it."""
        names = {name: name for name in _bound(node)}
        if isinstance(node, ast.ClassDef):
            return {name: self._short.get(name, name) for name in names}
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            taken = sum(new in PLACES for scope in scopes for new in scope.values())
            for argument in [*node.args.posonlyargs, *node.args.args]:
                if argument.arg not in self._needed:
                    names[argument.arg] = PLACES[taken]
                    self._edits.rename(argument.lineno, argument.col_offset, argument.arg, PLACES[taken])
                    taken += 1
        return names

    def _visit(self, node: ast.AST, scopes: "list[_Names]") -> None:
        if isinstance(node, ast.ImportFrom) and _is_ours(node):
            self._edits.put(node, "pass" if scopes else "")
            return
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and not self._is_local(node.value.id, scopes)
        ):
            there = self._module.modules.get(node.value.id)
            if there:
                called = _resolved(self._modules, there, node.attr)
                if any(called in scope.values() for scope in scopes):
                    raise self._error(node, "would be hidden by a local name")
                self._edits.put(node, called)
                return
        if isinstance(node, ast.Attribute) and node.attr in self._short:
            column = (node.end_col_offset or 0) - len(node.attr.encode())
            self._edits.rename(node.end_lineno or node.lineno, column, node.attr, self._short[node.attr])
        if isinstance(node, ast.Name):
            if self._is_local(node.id, scopes):
                called = next(scope[node.id] for scope in reversed(scopes) if node.id in scope)
                if called != node.id:
                    self._edits.put(node, called)
            else:
                if node.id in self._module.modules:
                    raise self._error(node, "is a module and used as a value")
                if node.id == "__file__":
                    path = self._module.name.replace(".", "/") + ".mpy"
                    self._edits.put(node, f'(__file__[:__file__.rfind("/")+1]+"{path}")')
                elif self._global(node.id) != node.id:
                    self._edits.put(node, self._global(node.id))
            return
        if isinstance(node, ast.Global):
            self._edits.put(node, "global " + ", ".join(map(self._global, node.names)))
            return
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if not scopes and self._global(node.name) != node.name:
                self._edits.rename_definition(node, self._global(node.name))
            outside = [*getattr(node, "decorator_list", []), *getattr(node, "bases", [])]
            if not isinstance(node, ast.ClassDef):
                outside += [*node.args.defaults, *[one for one in node.args.kw_defaults if one]]
            for part in outside:
                self._visit(part, scopes)
            # Names of a class are not seen by its methods, but by the statements in it.
            inner = [*scopes, self._scope(node, scopes)]
            for part in node.body:
                if isinstance(node, ast.ClassDef) and isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef):
                    if part.name in self._short:
                        self._edits.rename_definition(part, self._short[part.name])
                    self._visit(part, [*scopes, {}])
                else:
                    self._visit(part, inner)
            return
        if isinstance(node, ast.AnnAssign):
            self._visit(node.target, scopes)
            if node.value:
                self._visit(node.value, scopes)
            return
        if isinstance(node, ast.JoinedStr):
            raise self._error(node, "is a formatted text, in which the places of names are not known")
        outer: list[ast.expr] = []
        if isinstance(node, ast.Lambda):
            outer = node.args.defaults
        elif isinstance(node, _SCOPES):
            outer = [node.generators[0].iter]  # type: ignore[union-attr]
        for expression in outer:
            self._visit(expression, scopes)
        if isinstance(node, _SCOPES):
            scopes = [*scopes, self._scope(node, scopes)]
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.arguments):
                continue
            if isinstance(child, ast.comprehension):
                for one in ast.iter_child_nodes(child):
                    if one not in outer:
                        self._visit(one, scopes)
            else:
                self._visit(child, scopes)

    @staticmethod
    def _is_local(name: str, scopes: "list[_Names]") -> bool:
        return any(name in scope for scope in scopes)

    def _error(self, node: ast.expr, what: str) -> FirmwareSourceError:
        return FirmwareSourceError(f"{self._module.name}:{node.lineno}: {ast.unparse(node)[:40]} {what}")


def _resolved(modules: dict[str, _Module], module: str, name: str) -> str:
    there = modules[module]
    if name in there.taken:
        return _resolved(modules, *there.taken[name])
    if name in there.renamed:
        return there.renamed[name]
    if name in there.outer:
        return name
    raise FirmwareSourceError(f"{module} has no {name}")
