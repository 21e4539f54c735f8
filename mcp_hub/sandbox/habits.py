"""Python habits that Starlark lacks, each with what works here instead.

Pure. A model thinks in Python; the interpreter's own message names what it met and not what to write. All of a
program's are told at once, so that it is mended in one go.
"""

import ast
from collections.abc import Iterable, Iterator

STATEMENTS: dict[type[ast.AST], str] = {
    ast.While: "there is no while: loop over a range and break, for _ in range(1000): if done: break",
    ast.Try: "there is no try: a failed call ends the program and tells why, so look before you call",
    ast.Raise: "there is no raise: fail('why') ends the program",
    ast.Assert: "there is no assert: if not x: fail('why')",
    ast.With: "there is no with, and there are no files: a server's tools read and write",
    ast.ClassDef: "there is no class: use dicts, or struct(a = 1)",
    ast.AsyncFunctionDef: "there is no async: write def, and call the tools without await",
    ast.AsyncFor: "there is no async: write for",
    ast.AsyncWith: "there is no async and no with",
    ast.Await: "there is no await: call the tool as it is",
    ast.Yield: "there is no yield: build a list and return it",
    ast.YieldFrom: "there is no yield: build a list and return it",
    ast.Global: "there is no global: return the value, or keep it in a dict, as in state['n'] = 1",
    ast.Nonlocal: "there is no nonlocal: return the value, or keep it in a dict, as in state['n'] = 1",
    ast.Delete: "there is no del: d.pop('key') takes a key out of a dict, l.pop(0) an item out of a list",
    ast.Match: "there is no match: use if and elif",
    ast.NamedExpr: "there is no :=, assign on a line of its own",
    ast.Set: "there are no sets: use a list, or a dict with None as values",
    ast.SetComp: "there are no sets: use {x: None for x in items}, and sorted(that) for a list",
    ast.GeneratorExp: "there are no generators: put the comprehension in [ ]",
    ast.TryStar: "there is no try: a failed call ends the program and tells why, so look before you call",
}

FUNCTIONS = {
    "set": "there are no sets: {x: None for x in items} has each once, sorted(that) as a list",
    "isinstance": "there is no isinstance: type(x) == 'string', 'int', 'float', 'bool', 'list', 'dict' or 'NoneType'",
    "round": "there is no round: int(x + 0.5) for a positive number, '%d' % x for text",
    "pow": "there is no pow: multiply in a loop",
    "open": "there are no files: a server's tools read and write",
    "input": "nobody can be asked while a program runs: answer with the question",
    "iter": "there is no iter: loop with for",
    "next": "there is no next: [x for x in items if wanted(x)][0]",
    "format": "there is no format(): '%s' % x, or 'x: {}'.format(x)",
}


def found(nodes: Iterable[ast.AST], defined: frozenset[str]) -> list[tuple[int, str]]:
    """Each habit in a program, given as all its nodes, with its line (from 1), in the program's order.

    `defined` are names that exist.
    """
    told = {(line, text) for node in nodes for line, text in _of(node, defined)}
    return sorted(told)


def _of(node: ast.AST, defined: frozenset[str]) -> Iterator[tuple[int, str]]:
    line = getattr(node, "lineno", 1)
    if (text := STATEMENTS.get(type(node))) is not None:
        yield line, text
    match node:
        case ast.Import(names=names):
            yield line, _import([alias.name for alias in names])
        case ast.ImportFrom(module=module):
            yield line, _import([module or ""])
        case ast.Compare(ops=[ast.Is() | ast.IsNot(), *_]):
            yield line, "there is no is: == None, != None"
        case ast.Compare(ops=[_, _, *_]):
            yield line, "comparisons can't be chained: a < b and b < c"
        case ast.BinOp(op=ast.Pow()) | ast.AugAssign(op=ast.Pow()):
            yield line, "there is no **: multiply, x * x"
        case ast.Starred(ctx=ast.Store()):
            yield line, "there is no *rest when unpacking: first, rest = items[0], items[1:]"
        case ast.Dict(keys=keys) if None in keys:
            yield line, "there is no ** in a dict: a | b joins two"
        case ast.For(orelse=[_, *_]):
            yield line, "a for has no else: set a variable before you break"
        case ast.FunctionDef(decorator_list=[_, *_]):
            yield line, "there are no decorators: call the function with the other one"
        case ast.FormattedValue(value=value) if not isinstance(value, ast.Name):
            yield line, "an f-string takes plain names only: assign the expression to a name first, or use %"
        case ast.Call(func=ast.Name(id=name)) if name in FUNCTIONS and name not in defined:
            yield line, FUNCTIONS[name]


def _import(names: list[str]) -> str:
    if "json" in names:
        return "nothing is imported: json.decode(text) and json.encode(value) are there"
    return f"there is no import of {', '.join(names)}: the servers are names already, and nothing else can be had"
