# SPDX-License-Identifier: Apache-2.0
"""What the compiler is given of a firmware module: the same lines, with constants replaced by their values.

1. A name in capitals that a module sets once, to a whole number or a short text, is a constant. Wherever it is used, in
   any module, its value takes its place. On the board each such name would need an entry in the dictionary of its
   module, one in that of each module that imports it, and one in the table of names.
2. What stands under `if TYPE_CHECKING:` is left out.
3. So is what stands under `except ImportError:` for another interpreter, where the firmware tries at its top what
   MicroPython has.
4. So are imports of which nothing is left. Line numbers stay as they are.

What could make this wrong is an error: a constant that is hidden by another name, or changed from outside. Not here:
compiling (firmware_build.py). Called by it.
"""

import ast
import operator
import re
from pathlib import Path

TEXT_LENGTH_MAX = 24
_NUMBER_MAX = (1 << 30) - 1  # Beyond that, a number is an object of its own on the board and better kept once.
_NAME = re.compile(r"_?[A-Z][A-Z0-9_]*")
_NOT_ON_THE_BOARD = "testing"
_DATA = "boards"
"""These modules are handed around as a whole."""

_OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.LShift: operator.lshift,
    ast.BitOr: operator.or_,
    ast.BitAnd: operator.and_,
    ast.Pow: operator.pow,
}

Value = int | str
Constants = dict[str, dict[str, Value]]
"""Values by name, by module (`kiezbox.protocol.frame`)."""


class FirmwareSourceError(Exception):
    """A constant is not constant; one sentence with file and line."""


def constants(package: Path) -> Constants:
    """The constants of every module of the package in this folder, those that it imports from others included."""
    trees = {
        ".".join(path.relative_to(package.parent).with_suffix("").parts): ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted(package.rglob("*.py"))
        if path.stem != _NOT_ON_THE_BOARD and path.parent.name != _DATA
    }
    found: Constants = {module: {} for module in trees}
    before = -1
    while before != (before := sum(map(len, found.values()))):
        for module, tree in trees.items():
            _add_constants(found, module, tree)
    return found


def _add_constants(found: Constants, module: str, tree: ast.Module) -> None:
    scope = _Scope(tree, found[module], found)
    seen = set()
    for statement in tree.body:
        if isinstance(statement, ast.ImportFrom):
            found[module].update(_imported(statement, found))
        elif isinstance(statement, ast.Assign) and (name := _defined(statement)):
            if name in seen:
                raise FirmwareSourceError(f"{module}:{statement.lineno}: {name} is set twice")
            seen.add(name)
            value = _value(statement.value, scope)
            if value is not None:
                found[module][name] = value


def _imported(statement: ast.ImportFrom, known: Constants) -> dict[str, Value]:
    """The constants among what is imported, by the name they get."""
    values = known.get(statement.module or "", {})
    return {alias.asname or alias.name: values[alias.name] for alias in statement.names if alias.name in values}


def _defined(statement: ast.stmt) -> str:
    """The name of a possible constant that a statement sets, else an empty string."""
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1 and isinstance(statement.targets[0], ast.Name):
        name = statement.targets[0].id
        return name if _NAME.fullmatch(name) and name != "TYPE_CHECKING" else ""
    return ""


class _Scope:
    """What the names of one module stand for."""

    def __init__(self, tree: ast.Module, own: dict[str, Value], known: Constants) -> None:
        self.own = own
        self._known = known
        self.modules = {
            alias.asname or alias.name: f"{statement.module}.{alias.name}"
            for statement in ast.walk(tree)
            if isinstance(statement, ast.ImportFrom)
            for alias in statement.names
            if f"{statement.module}.{alias.name}" in known
        }

    def value(self, node: ast.AST) -> Value | None:
        """The value of a name or of MODULE.NAME if that is a constant."""
        if isinstance(node, ast.Name):
            return self.own.get(node.id)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in self.modules:
            return self._known[self.modules[node.value.id]].get(node.attr)
        return None


def _value(node: ast.expr, scope: _Scope) -> Value | None:
    """The value of an expression of constants, None if it is none or too large."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "const":
        return _value(node.args[0], scope)
    if isinstance(node, ast.Constant):
        is_short = isinstance(node.value, str) and len(node.value) <= TEXT_LENGTH_MAX
        is_small = type(node.value) is int and abs(node.value) <= _NUMBER_MAX
        return node.value if is_short or is_small else None  # type: ignore[return-value]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        operand = _value(node.operand, scope)
        return -operand if isinstance(operand, int) else None
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        left, right = _value(node.left, scope), _value(node.right, scope)
        if not (isinstance(left, int) and isinstance(right, int)):
            return None
        result = _OPERATORS[type(node.op)](left, right)
        return result if isinstance(result, int) and abs(result) <= _NUMBER_MAX else None
    return scope.value(node)


def for_board(source: str, name: str, module: str, known: Constants) -> str:
    """The text to compile. `module`: by what name the known constants have it; a program that is no part of the
    firmware has another. Raises FirmwareSourceError; a syntax error is left to the compiler.
    """
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return source
    own = dict(known.get(module, {}))
    for statement in ast.walk(tree):
        if isinstance(statement, ast.ImportFrom):
            own.update(_imported(statement, known))
    editor = _Editor(source, name, _Scope(tree, own, known), module in known)
    editor.edit(tree)
    return editor.text()


class Unannotated(ast.NodeTransformer):
    """Takes out annotations: MicroPython never looks at the names in them."""

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt:
        if node.value is None:
            return ast.copy_location(ast.Pass(), node)
        return ast.copy_location(ast.Assign([node.target], self.visit(node.value)), node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.returns = None
        self.generic_visit(node)
        return node

    visit_AsyncFunctionDef = visit_FunctionDef  # type: ignore[assignment] # noqa: N815


class Edits:
    """Changes to a source by the places of its syntax tree, which count lines from 1 and columns in bytes."""

    def __init__(self, source: str) -> None:
        self.lines = source.encode().splitlines(keepends=True)
        self._edits: list[tuple[int, int, int, int, str]] = []

    def put(self, node: ast.stmt | ast.expr | ast.excepthandler, text: str) -> None:
        """`text` in the place of a node."""
        last, end = node.end_lineno or node.lineno, node.end_col_offset or 0
        self._edits.append((node.lineno - 1, node.col_offset, last - 1, end, text))

    def rename(self, line: int, column: int, name: str, text: str) -> None:
        """`text` in the place of the name that stands there."""
        self._edits.append((line - 1, column, line - 1, column + len(name.encode()), text))

    def rename_definition(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, text: str) -> None:
        """`text` in the place of what is defined."""
        column = self.lines[node.lineno - 1].index(b" " + node.name.encode(), node.col_offset) + 1
        self.rename(node.lineno, column, node.name, text)

    def text(self) -> str:
        """The source with all changes, as many lines as before."""
        lines = list(self.lines)
        for first, start, last, end, text in sorted(self._edits, reverse=True):
            lines[first : last + 1] = [
                lines[first][:start] + text.encode() + lines[last][end:],
                *[b"\n"] * (last - first),
            ]
        return b"".join(lines).decode()


class _Editor:
    def __init__(self, source: str, name: str, scope: _Scope, is_firmware: bool) -> None:
        self._edits = Edits(source)
        self._name = name
        self._scope = scope
        self._is_firmware = is_firmware
        self._left: set[str] = set()
        self._replaced: set[str] = set()

    def edit(self, tree: ast.Module) -> None:
        """Collect what to change."""
        imports: list[ast.ImportFrom] = []
        for statement in tree.body:
            for_types = (isinstance(statement, ast.If) and _is_for_types(statement.test)) or (
                isinstance(statement, ast.Assign) and _is_for_types(statement.targets[0])
            )
            if for_types or (self._is_firmware and _defined(statement) in self._scope.own):
                self._edits.put(statement, "")
                continue
            if self._is_firmware and _has_other_interpreter(statement):
                self._edits.rename(statement.lineno, 0, "try", "if 1")
                self._edits.put(statement.handlers[0], "")  # type: ignore[attr-defined]
            self._visit(statement, imports)
        for statement in imports:
            self._import(statement, statement in tree.body)

    def _visit(self, node: ast.AST, imports: list[ast.ImportFrom]) -> None:
        if isinstance(node, ast.ImportFrom):
            imports.append(node)
            return
        value = self._scope.value(node)
        if value is not None and isinstance(node, ast.Name | ast.Attribute):
            if not isinstance(node.ctx, ast.Load):
                raise self._error(node, "is set although it is a constant")
            self._edits.put(node, f"({value!r})")
            if isinstance(node, ast.Attribute):
                self._replaced.add(node.value.id)  # type: ignore[attr-defined]
            return
        if isinstance(node, ast.Name):
            self._left.add(node.id)
        hidden = node.arg if isinstance(node, ast.arg) else getattr(node, "name", None)
        if isinstance(hidden, str) and hidden in self._scope.own:
            raise self._error(node, "has the name of a constant")
        if isinstance(node, ast.JoinedStr) and any(self._scope.value(part) is not None for part in ast.walk(node)):
            raise self._error(node, "holds a constant in a formatted text, whose place is not known")
        for child in ast.iter_child_nodes(node):
            self._visit(child, imports)

    def _import(self, statement: ast.ImportFrom, at_top: bool) -> None:
        kept = [alias for alias in statement.names if not self._is_gone(alias.asname or alias.name)]
        if len(kept) == len(statement.names):
            return
        names = ", ".join(alias.name + (f" as {alias.asname}" if alias.asname else "") for alias in kept)
        self._edits.put(statement, f"from {statement.module} import {names}" if kept else "" if at_top else "pass")

    def _is_gone(self, name: str) -> bool:
        if name in self._scope.own:
            return True
        return name not in self._left and (name == "const" or name in self._replaced)

    def _error(self, node: ast.AST, what: str) -> FirmwareSourceError:
        return FirmwareSourceError(f"{self._name}:{getattr(node, 'lineno', 0)}: {ast.unparse(node)[:40]} {what}")

    def text(self) -> str:
        """The source with all changes."""
        return self._edits.text()


def _has_other_interpreter(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Try)
        and isinstance(statement.body[0], ast.ImportFrom)
        and [ast.unparse(handler.type) for handler in statement.handlers if handler.type] == ["ImportError"]
    )


def _is_for_types(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "TYPE_CHECKING"
