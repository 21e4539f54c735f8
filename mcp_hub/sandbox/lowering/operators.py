"""Operators and comparisons: those that Starlark lacks, and those that Python has for more kinds of values."""

import ast

from mcp_hub.sandbox.lowering.calls import Calls
from mcp_hub.sandbox.lowering.core import (
    AND,
    BIT_AND,
    BIT_OR,
    BIT_XOR,
    COMPARE,
    NOT,
    OR,
    PRIMARY,
    PRODUCT,
    SHIFT,
    SIGN,
    SUM,
    TEST,
    Emitted,
    is_simple,
)  # fmt: skip

BINARY: dict[type[ast.operator], tuple[str, int]] = {
    ast.Add: ("+", SUM), ast.Sub: ("-", SUM), ast.Mult: ("*", PRODUCT), ast.Div: ("/", PRODUCT),
    ast.FloorDiv: ("//", PRODUCT), ast.LShift: ("<<", SHIFT), ast.RShift: (">>", SHIFT),
    ast.BitOr: ("|", BIT_OR), ast.BitXor: ("^", BIT_XOR), ast.BitAnd: ("&", BIT_AND),
}  # fmt: skip
BITWISE = (ast.BitAnd, ast.BitOr, ast.BitXor)
UNARY: dict[type[ast.unaryop], str] = {ast.USub: "-", ast.UAdd: "+", ast.Invert: "~"}
COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Is: "==",
    ast.IsNot: "!=", ast.In: "in", ast.NotIn: "not in",
}  # fmt: skip
ORDERED = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)

SET_OPERATORS: dict[type[ast.operator], str] = {
    ast.Sub: "_py_sub", ast.BitAnd: "_py_and", ast.BitXor: "_py_xor", ast.BitOr: "_py_or",
}  # fmt: skip
DATE_OPERATORS: dict[type[ast.operator], str] = {
    ast.Add: "_py_add", ast.Sub: "_py_sub", ast.Mult: "_py_mul", ast.Div: "_py_div", ast.FloorDiv: "_py_floordiv",
    ast.Mod: "_py_mod",
}  # fmt: skip
COUNTER_OPERATORS: dict[type[ast.operator], str] = {
    ast.Add: "_py_counter_add", ast.Sub: "_py_counter_sub", ast.BitAnd: "_py_counter_and", ast.BitOr: "_py_counter_or",
}  # fmt: skip


class Operators(Calls):
    """Emits operators; see `Core` for what it stands on."""

    def binary(self, node: ast.BinOp) -> Emitted:
        chain = [node]
        while isinstance(chain[-1].left, ast.BinOp):
            chain.append(chain[-1].left)
        text: str | None = None
        level = TEST
        while chain:
            node = chain.pop()
            text, level = self._operation(node, text, level)
        assert text is not None
        return text, level

    def _operation(self, node: ast.BinOp, done: str | None, own: int) -> Emitted:
        """One operator of a chain, whose left side may have been emitted already."""

        def left(level: int) -> str:
            if done is not None:
                return f"({done})" if own < level else done
            return self._operand(node.left, level)

        operator = type(node.op)
        if operator is ast.Pow:
            return f"_py_pow({left(TEST)}, {self._operand(node.right, TEST)})", PRIMARY
        if operator is ast.Mod and done is None:
            return self.remainder(node)
        if operator is ast.Mod:
            helper: str | None = "_py_mod"
        else:
            helper = self._helper(node)
        if helper is not None:
            return f"{helper}({left(TEST)}, {self._operand(node.right, TEST)})", PRIMARY
        sign, level = BINARY[operator]
        text = f"{left(level)} {sign} {self._operand(node.right, level + 1)}"
        if operator in BITWISE and self.kind(node) == "bool":
            return f"_py_native_bool({text})", PRIMARY
        return text, level

    def _operand(self, node: ast.expr, level: int) -> str:
        if self.kind(node) == "bool":
            return f"_py_native_int({self.expression(node)})"
        return self.expression(node, level)

    def _helper(self, node: ast.BinOp | ast.AugAssign) -> str | None:
        """The function that stands for an operator whose operands may be sets, counters or dates."""
        operator = type(node.op)
        first, second = (node.left, node.right) if isinstance(node, ast.BinOp) else (node.target, node.value)
        if operator in COUNTER_OPERATORS and self.is_counter(first):
            return COUNTER_OPERATORS[operator]
        left, right = self.kind(first), self.kind(second)
        if self.program.dates and operator in DATE_OPERATORS and _may(left, right, "date"):
            return DATE_OPERATORS[operator]
        if operator not in SET_OPERATORS:
            return None
        if "set" in (left, right) or "list" in (left, right):
            return SET_OPERATORS[operator]
        return SET_OPERATORS[operator] if self.program.sets and _may(left, right, "set") else None

    def augmented(self, node: ast.AugAssign) -> str | None:
        """The function that stands for an augmented assignment's operator; None when Starlark's own does it."""
        if isinstance(node.op, ast.Pow):
            return "_py_pow"
        if isinstance(node.op, ast.Mod):
            return None if self.kind(node.target) in ("int", "float") else "_py_mod"
        return self._helper(node)

    def unary(self, node: ast.UnaryOp) -> Emitted:
        if isinstance(node.op, ast.Not):
            return f"not {self.expression(node.operand, NOT)}", NOT
        if self.program.dates and self.kind(node.operand) in ("unknown", "date"):
            return f"_py_negated({self.expression(node.operand)})", PRIMARY
        return f"{UNARY[type(node.op)]}{self._operand(node.operand, SIGN)}", SIGN

    def boolean(self, node: ast.BoolOp) -> Emitted:
        word, level = (" and ", AND) if isinstance(node.op, ast.And) else (" or ", OR)
        return word.join([self.expression(value, level + 1) for value in node.values]), level

    def compare(self, node: ast.Compare) -> Emitted:
        if (told := self.type_comparison(node)) is not None:
            return told
        if len(node.ops) == 1:
            left = self.expression(node.left, COMPARE + 1)
            return self._comparison(node.ops[0], left, node.left, node.comparators[0])
        return self._chain(node)

    def _chain(self, node: ast.Compare) -> Emitted:
        """Each operand once, and none behind a comparison that failed: what isn't simple is a lambda's argument."""
        operands = [node.left, *node.comparators]
        names: dict[int, str] = {
            number: self.fresh("operand") for number, each in enumerate(operands) if number and not is_simple(each)
        }
        names.pop(len(operands) - 1, None)
        if names:
            names[0] = self.fresh("operand")
        given = [self.expression(node.left)] if names else []
        if 1 in names:
            given.append(self.expression(operands[1]))
        text = self._links(node, operands, names, 0)
        if not names:
            return text, AND
        heads = ", ".join(names[number] for number in (0, 1) if number in names)
        return f"(lambda {heads}: {text})({', '.join(given)})", PRIMARY

    def _links(self, node: ast.Compare, operands: list[ast.expr], names: dict[int, str], start: int) -> str:
        parts = []
        for number in range(start, len(node.ops)):
            if number + 1 in names and number + 1 > 1 and number + 1 != start + 1:
                rest = self._links(node, operands, names, number)
                value = self.expression(operands[number + 1])
                parts.append(f"(lambda {names[number + 1]}: {rest})({value})")
                break
            left = names.get(number) or self.expression(operands[number], COMPARE + 1)
            right = names.get(number + 1)
            link, level = self._comparison(node.ops[number], left, operands[number], operands[number + 1], right)
            parts.append(f"({link})" if level < NOT else link)
        return " and ".join(parts)

    def _comparison(
        self, operator: ast.cmpop, left: str, first: ast.expr, second: ast.expr, right: str | None = None
    ) -> Emitted:
        kinds = self.kind(first), self.kind(second)
        if isinstance(operator, ast.In | ast.NotIn) or right is not None:
            right = right or self.expression(second, COMPARE + 1)
        elif kinds in (("bool", "int"), ("int", "bool")):
            left, right = f"_py_native_int({left})", f"_py_native_int({self.expression(second)})"
        else:
            right = self.expression(second, COMPARE + 1)
        sign = COMPARISONS[type(operator)]
        compared = isinstance(operator, ORDERED)
        if (compared and "set" in kinds) or (compared and self.program.sets and kinds == ("unknown", "unknown")):
            return f'_py_compare("{sign}", {left}, {right})', PRIMARY
        if self.program.dates and compared and _may(*kinds, "date"):
            return f'_py_compare("{sign}", {left}, {right})', PRIMARY
        return f"{left} {sign} {right}", COMPARE


def _may(left: str, right: str, wanted: str) -> bool:
    """Whether an operator's operands may be what only a helper takes, as far as their kinds tell."""
    either = {left, right}
    return wanted in either or either == {"unknown"} or either == {"unknown", "data"}
