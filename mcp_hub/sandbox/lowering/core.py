"""What every part of the emitter stands on: emitted lines with the program's line of each, scopes, names, kinds.

A multi-line expression carries marks, each a new line that stands for another line of the program; the emitter of
statements turns them into lines and their numbers.
"""

import ast
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from mcp_hub.sandbox.lowering import modules
from mcp_hub.sandbox.lowering.kinds import Kind, Kinds
from mcp_hub.sandbox.lowering.scopes import Scope, Scopes

MARK = "\x01"
"""Before and after the number of a line, at a new line's start. No program's text reaches the emitted code unquoted."""

# How tightly an expression binds, in Starlark's grammar.
TEST, OR, AND, NOT, COMPARE, BIT_OR, BIT_XOR, BIT_AND, SHIFT, SUM, PRODUCT, SIGN, PRIMARY = range(13)

T = TypeVar("T")

Emitted = tuple[str, int]
"""Text of Starlark, and how tightly it binds."""

ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}

RESERVED = "load"
"""The one word that is a name in Python and none in Starlark."""


def quoted(text: str) -> str:
    """A text as a literal of Starlark, on one line."""
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(character: str) -> str:
    if (known := ESCAPES.get(character)) is not None:
        return known
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


STEP = "    "


@dataclass
class Output:
    """Starlark, line by line."""

    lines: list[str] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    """The program's line for each of `lines`."""
    indent: int = 0

    def add(self, text: str, number: int) -> None:
        """Add one line that stands for line `number` of the program."""
        self.lines.append(STEP * self.indent + text)
        self.numbers.append(number)


@dataclass(eq=False)
class Block:
    """A loop, or the guarded part of a try, around the statement that is being emitted."""

    loop: bool = False
    flag: str = ""
    """Of a loop with else: the variable that says whether it was left by a break."""
    guarded: bool = False
    """Whether leaving it from within must commit."""
    final: Sequence[ast.stmt] = ()
    """What is done when it is left."""


@dataclass
class Caught:
    """An error that a handler has under a name."""

    variable: str
    """The variable of the emitted code that holds what `_try` returned."""
    name: str | None


@dataclass
class Program:
    """What is known of the whole program while it is emitted."""

    scopes: Scopes
    namespaces: frozenset[str]
    kinds: Kinds
    sets: bool
    """Whether it has sets, so that what may be one is treated as such."""
    dates: bool
    exceptions: dict[str, str] = field(default_factory=dict)
    """Exception classes that the program defines: name -> name of the base."""
    modules: set[str] = field(default_factory=set)
    """Modules of the prelude that were used, under names of the header's."""


class Core:
    """State of the emitter, and what expressions of all sorts share."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.scope: Scope = program.scopes.module
        self.spread = False
        """Whether the statement has several lines, so that its expressions are marked."""
        self.line = 0
        self.caught: list[Caught] = []
        self._numbers = 0

    def expression(self, node: ast.expr, level: int = TEST) -> str:
        """Starlark for an expression, in brackets if it binds less tightly than `level`."""
        raise NotImplementedError

    def target(self, node: ast.expr) -> str:
        """Starlark for what is assigned to: a name, an item, or several of them."""
        raise NotImplementedError

    def kind(self, node: ast.expr) -> Kind:
        """The kind of an expression that stands in the current scope."""
        return self.program.kinds.of(node, self.scope)

    def fresh(self, stem: str) -> str:
        """A variable's name that the program doesn't have."""
        self._numbers += 1
        return f"_py_{stem}{self._numbers}"

    def inside(self, scope: Scope, emit: Callable[[], T]) -> T:
        """What `emit` gives within `scope`."""
        outer, self.scope = self.scope, scope
        try:
            return emit()
        finally:
            self.scope = outer

    def name(self, name: str) -> str:
        """How a name is read or assigned in the current scope."""
        owner = self.scope.owner(name)
        if owner is not None and name in owner.boxed:
            return f"{box(name)}[0]"
        return spelled(name)

    def is_builtin(self, node: ast.expr, *names: str) -> bool:
        """Whether a node is one of these names, and the program doesn't bind it."""
        return isinstance(node, ast.Name) and node.id in names and self.unbound(node.id)

    def unbound(self, name: str) -> bool:
        """Whether a name isn't the program's own."""
        return self.scope.owner(name) is None and name not in self.program.namespaces

    def standard(self, node: ast.expr) -> str:
        """What a node is of the standard library, as `collections.Counter`; "" when it is nothing of it."""
        if isinstance(node, ast.Name):
            owner = self.scope.owner(node.id)
            if owner is None:
                return node.id if node.id in modules.MODULES and node.id not in self.program.namespaces else ""
            return imported(node.id, owner)
        if isinstance(node, ast.Attribute):
            base = self.standard(node.value)
            return f"{base}.{node.attr}" if base else ""
        return ""

    def standard_value(self, standard: str) -> str:
        """The expression for what `standard` tells."""
        module = standard.partition(".")[0]
        if module in modules.MODULES and standard not in modules.LOWERED and standard not in modules.NOTHING:
            self.program.modules.add(module)
        return modules.value(standard)

    def is_namespace(self, node: ast.expr) -> bool:
        """Whether a node is a server, or something of one."""
        while isinstance(node, ast.Attribute):
            node = node.value
        return isinstance(node, ast.Name) and node.id in self.program.namespaces and self.scope.owner(node.id) is None

    def caught_error(self, node: ast.expr) -> str | None:
        """The variable of the error that a node names, inside of its handler."""
        owner = self.scope.owner(node.id) if isinstance(node, ast.Name) and self.caught else None
        if owner is None or not isinstance(node, ast.Name):
            return None
        if not all(isinstance(value, ast.ExceptHandler) for value in owner.bound[node.id]):
            return None  # it is the error's text, and then something else
        return next((each.variable for each in reversed(self.caught) if each.name == node.id), None)

    def iterated(self, node: ast.expr, level: int = TEST) -> str:
        """An expression that is gone over: text item by item, as Python has it."""
        if self.kind(node) in ("text", "unknown"):
            return f"_py_iter({self.expression(node)})"
        return self.expression(node, level)

    def commas(self, nodes: Iterable[ast.expr]) -> str:
        """Expressions with commas between."""
        return ", ".join([self.expression(node) for node in nodes])


def imported(name: str, owner: Scope) -> str:
    """What a name stands for that imports alone bind, as `collections.Counter`; "" for every other name."""
    found: set[str] = set()
    for node in owner.bound[name]:
        if isinstance(node, ast.Import):
            found |= {_module(each) for each in node.names if (each.asname or each.name.partition(".")[0]) == name}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{each.name}" for each in node.names if (each.asname or each.name) == name}
        else:
            return ""
    return found.pop() if len(found) == 1 else ""


def _module(alias: ast.alias) -> str:
    return alias.name if alias.asname else alias.name.partition(".")[0]


def box(name: str) -> str:
    """The variable that holds a boxed name's value as its one item."""
    return f"_py_box_{name}"


def spelled(name: str) -> str:
    """A name as Starlark takes it."""
    return "_py_load" if name == RESERVED else name


def is_simple(node: ast.expr) -> bool:
    """Whether evaluating an expression twice is the same as once."""
    if isinstance(node, ast.UnaryOp):
        node = node.operand
    return isinstance(node, ast.Name | ast.Constant)
