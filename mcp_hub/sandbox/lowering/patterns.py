"""The match statement: its patterns as conditions, and the names that they bind."""

import ast

from mcp_hub.sandbox.lowering.core import Output
from mcp_hub.sandbox.lowering.expressions import Expressions
from mcp_hub.sandbox.lowering.guards import Guards

Bound = list[tuple[str, str]]
"""Names, each with the expression that it is bound to when the pattern fits."""


class Patterns(Guards):
    """Emits match statements; see `Statements` for the others."""

    def __init__(self, expressions: Expressions, output: Output) -> None:
        super().__init__(expressions, output)
        self._emitters[ast.Match] = self._match

    def _match(self, node: ast.Match) -> None:
        subject = self.x.fresh("subject")
        self.line(f"{subject} = {self.value(node.subject, node)}", node)
        guarded = any(case.guard is not None for case in node.cases)
        flag = self.x.fresh("open") if guarded else ""
        if guarded:
            self.line(f"{flag} = True", node)
        for number, case in enumerate(node.cases):
            bound: Bound = []
            test = self._test(case.pattern, subject, bound) or "True"
            line = case.pattern.lineno
            if guarded:
                self.out.add(f"if {flag} and {test}:" if test != "True" else f"if {flag}:", line)
            else:
                self.out.add(f"{'elif' if number else 'if'} {test}:", line)
            self.out.indent += 1
            for name, value in bound:
                self.out.add(f"{self.x.name(name)} = {value}", line)
            if case.guard is not None:
                self.out.add(f"if {self.x.expression(case.guard)}:", line)
                self.out.indent += 1
            if guarded:
                self.out.add(f"{flag} = False", line)
            self.out.indent -= 1
            self.body(case.body)
            if case.guard is not None:
                self.out.indent -= 1

    def _test(self, pattern: ast.pattern, subject: str, bound: Bound) -> str:
        """The condition for a pattern; "" for one that always fits."""
        match pattern:
            case ast.MatchValue(value=value):
                return f"{subject} == {self.x.expression(value, 5)}"
            case ast.MatchSingleton(value=value):
                return f"{subject} == {value}"
            case ast.MatchAs(pattern=inner, name=name):
                test = self._test(inner, subject, bound) if inner is not None else ""
                if name is not None:
                    bound.append((name, subject))
                return test
            case ast.MatchOr(patterns=patterns):
                tests = [self._test(each, subject, bound) for each in patterns]
                return f"({' or '.join(tests)})" if all(tests) else ""
            case ast.MatchSequence(patterns=patterns):
                return self._sequence(patterns, subject, bound)
            case ast.MatchMapping():
                return self._mapping(pattern, subject, bound)
            case ast.MatchClass(cls=cls, patterns=patterns):
                test = self.x.is_instance(ast.Name("_", ast.Load()), cls)[0].replace("(_,", f"({subject},", 1)
                within = [self._test(each, subject, bound) for each in patterns]
                return " and ".join([test, *filter(None, within)])
            case _:
                return "False"

    def _sequence(self, patterns: list[ast.pattern], subject: str, bound: Bound) -> str:
        star = next((number for number, each in enumerate(patterns) if isinstance(each, ast.MatchStar)), None)
        sign, least = ("==", len(patterns)) if star is None else (">=", len(patterns) - 1)
        tests = [f"_py_is_sequence({subject})", f"_py_len({subject}) {sign} {least}"]
        for number, each in enumerate(patterns):
            if isinstance(each, ast.MatchStar):
                after = len(patterns) - number - 1
                if each.name is not None:
                    bound.append((each.name, f"_py_list_of({subject}[{number}:{-after if after else ''}])"))
                continue
            index = number if star is None or number < star else number - len(patterns)
            tests.append(self._test(each, f"{subject}[{index}]", bound))
        return " and ".join(filter(None, tests))

    def _mapping(self, pattern: ast.MatchMapping, subject: str, bound: Bound) -> str:
        tests = [f'_py_native_type({subject}) == "dict"']
        keys = [self.x.expression(key) for key in pattern.keys]
        for key, each in zip(keys, pattern.patterns, strict=True):
            tests.append(f"{key} in {subject}")
            tests.append(self._test(each, f"{subject}[{key}]", bound))
        if pattern.rest is not None:
            bound.append((pattern.rest, f"_py_without({subject}, [{', '.join(keys)}])"))
        return " and ".join(filter(None, tests))
