"""What a program finds when it begins: the interpreter's globals, the prelude, and the host functions behind it.

Runs in the zygote, which makes one environment that every worker has a copy of: the first one in a process costs
several milliseconds, since Starlark's standard library is set up with it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import starlark

from mcp_hub.sandbox import library, lowering

FOLDER = Path(__file__).parent
PRELUDE = (FOLDER / "prelude.star").read_text()
BRANCHES = (FOLDER / "branches.star").read_text()

HOST_FUNCTIONS = ("_print", "_exit", "_fork", "_done", "_join", "_try", "_commit", "_recall")
"""What the prelude calls of the program that runs; each is a method of `Program` of that name without the
underscore (`try_` for `_try`)."""


@dataclass
class Environment:
    """A module in which the prelude has been evaluated, and the globals it sees.

    `program` is who answers the host functions: none while the prelude is evaluated.
    """

    module: starlark.Module = field(default_factory=starlark.Module)
    globals: starlark.Globals = field(default_factory=lambda: _globals())
    program: Any = None

    def evaluate_prelude(self) -> None:
        """Define what programs find defined."""
        for name in HOST_FUNCTIONS:
            self.module.add_callable(name, self._host_function("try_" if name == "_try" else name.removeprefix("_")))
        for name, function in {**library.CALLABLES, **lowering.CALLABLES}.items():
            self.module.add_callable(name, function)
        for file, text in (
            ("prelude", PRELUDE),
            ("library", library.STAR),
            ("branches", BRANCHES),
            ("lowered", lowering.STAR),
        ):
            starlark.eval(self.module, starlark.parse(file, text, dialect()), self.globals)

    def _host_function(self, name: str) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            return getattr(self.program, name)(*args)

        return call


def fresh() -> Environment:
    """An environment for one program."""
    environment = Environment()
    environment.evaluate_prelude()
    return environment


def dialect() -> starlark.Dialect:
    """Starlark with what programs may use beside the standard: top-level statements, f-strings, lambda, types."""
    chosen = starlark.Dialect.extended()
    chosen.enable_top_level_stmt = True
    chosen.enable_f_strings = True
    return chosen


def _globals() -> starlark.Globals:
    extension = starlark.LibraryExtension
    return starlark.Globals.extended_by(
        [extension.StructType, extension.Json, extension.Map, extension.Filter, extension.Partial]
    )
