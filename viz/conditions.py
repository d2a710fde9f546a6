"""Conditions for breakpoints, and expressions to display: `abs(grad) < 1e-12`, `op == "tanh" and not #5.grad`.

The language has numbers, strings, names and their fields, arithmetic, comparisons, `and`, `or`, `not` and a few
functions. It is read by `syntax.py` and walked here; Python never runs any of it. Names mean what the caller says:
this module knows nothing of Values, traces and debuggers.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Mapping

from engine.floats import IEEE, divide, floor_divide, maximum, minimum, power, remainder
from viz.syntax import Source, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    Plain = float | str | None
    Result = Plain | Mapping[str, Plain]
    Find = Callable[[ast.expr, str], Result]
    Compute = Callable[[Find], Result]


class Condition:
    """A condition or an expression, read once and evaluated as often as one likes.

    Args:
        text: numbers (and `inf`, `nan`, `pi`), strings to compare with, names, `X.field` where X is a name, a node's
            number such as `#5`, or `node("a.name.with.points")`; `+ - * / // % **` and `abs min max isnan isinf
            isfinite sqrt log exp` over floats with IEEE 754's answers, comparisons, `and`, `or`, `not`.

    Attributes:
        text: the text.
        names: what it asks for: names, `#5` as "#5", `node("x")` as '"x"', for x may be the name of a field as well.

    Raises:
        ExpressionError: the text is not of this language. It points at the place.

    >>> near_zero = Condition("abs(a.grad) < 1e-12 or op == 'tanh'")
    >>> sorted(near_zero.names)
    ['a', 'op']
    >>> near_zero.evaluate({"a": {"data": 2.0, "grad": 0.5}, "op": "mul"}.__getitem__)
    False
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._source = Source(text, _SIGNS, _ADVICE)
        match self._source.statements:
            case [ast.Expr(value=value)]:
                self._names: set[str] = set()
                self._compute = self._compiled(value)
                self.names = frozenset(self._names)
            case statements:
                raise self._source.refusal(statements[-1], "write one condition; join several with and")

    def __repr__(self) -> str:
        return f"Condition({self.text!r})"

    def evaluate(self, resolve: Callable[[str], Result], known: Iterable[str] = ()) -> Result:
        """A number, True or False, a string, None or a node, as the expression is.

        Args:
            resolve: what a name stands for; a mapping stands for a node, with its fields, of which "data" is meant
                where a number is needed. It raises KeyError for an unknown name.
            known: names that may have been meant by one that is unknown.

        Raises:
            ExpressionError: an unknown name or field, or a string or None where a number is needed. It points at the
                place.
        """

        def find(node: ast.expr, name: str) -> Result:
            try:
                return resolve(name)
            except KeyError:
                raise self._source.unknown(node, "name", name, known, "ask for a name that is there") from None

        return self._compute(find)

    # --- compiling

    def _compiled(self, node: ast.expr) -> Compute:
        """How to compute it; raises for whatever is not listed here."""
        match node:
            case ast.Constant(value=str()):
                raise self._source.refusal(node, "compare strings with == or !=")
            case ast.Constant():
                number = self._source.number(node)
                return lambda find: number
            case ast.Name(id=name) if name in _NUMBERS:
                return lambda find: _NUMBERS[name]
            case ast.Name() | ast.Call(func=ast.Name(id="node")):
                return self._node(node)
            case ast.Attribute(value=ast.Name() | ast.Call(func=ast.Name(id="node")) as owner):
                name, column = self._source.attribute(node)
                compute = self._node(owner)
                return lambda find: self._field(compute(find), name, column)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                compute = self._compiled(operand)
                return lambda find: not self._plain(compute(find), operand)
            case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=operand):
                compute = self._compiled(operand)
                factor = -1.0 if isinstance(sign, ast.USub) else 1.0
                return lambda find: factor * self._number(compute(find), operand)
            case ast.BinOp():
                return self._chained(node)
            case ast.BoolOp(op=joint, values=parts):
                return self._joined(any if isinstance(joint, ast.Or) else all, parts)
            case ast.Compare() if all(type(test) in _TESTS for test in node.ops):
                return self._compared(node)
            case ast.Call(func=ast.Name(id=name)) if name in _FUNCTIONS:
                return self._called(node, name)
            case ast.Call(func=called):
                to_do = f"write one of {', '.join(_FUNCTIONS)}"
                raise self._source.unknown(called, "function", self._source.written(called), _FUNCTIONS, to_do)
            case ast.Attribute():
                raise self._source.refusal(node, 'write name.field, #5.field or node("name").field')
            case _:
                raise self._source.refusal(node, "write numbers, names, comparisons, and, or, not")

    def _node(self, node: ast.expr) -> Compute:
        match node:
            case ast.Call(args=[ast.Constant(value=str(label))], keywords=[]):
                name = f'"{label}"'
            case ast.Call():
                raise self._source.refusal(node, 'write node("name")')
            case _:
                name = self._source.written(node)
        self._names.add(name)
        return lambda find: find(node, name)

    def _chained(self, node: ast.BinOp) -> Compute:
        """A sum of any length without recursion."""
        first, links = self._source.operands(node)
        start = self._compiled(first)
        steps = [(_ARITHMETIC[name], self._compiled(right), right) for name, right in links]

        def compute(find: Find) -> float:
            total = self._number(start(find), first)
            for function, operand, place in steps:
                total = function(total, self._number(operand(find), place))
            return total

        return compute

    def _joined(self, joint: Callable[[Iterable[object]], bool], parts: list[ast.expr]) -> Compute:
        computes = [(self._compiled(part), part) for part in parts]
        return lambda find: joint(self._plain(compute(find), part) for compute, part in computes)

    def _compared(self, node: ast.Compare) -> Compute:
        """`a < b < c`, of any length; strings may be equal or not, but have no order."""
        parts = [node.left, *node.comparators]
        tests = [_TESTS[type(test)] for test in node.ops]
        ordered = [test not in (operator.eq, operator.ne) for test in tests]
        computes = [
            (lambda find, text=part.value: text)
            if isinstance(part, ast.Constant) and isinstance(part.value, str) and not any(ordered)
            else self._compiled(part)
            for part in parts
        ]

        def compute(find: Find) -> bool:
            left = self._plain(computes[0](find), parts[0])
            for k, test in enumerate(tests, 1):
                right = self._plain(computes[k](find), parts[k])
                if ordered[k - 1]:
                    left, right = self._number(left, parts[k - 1]), self._number(right, parts[k])
                if not test(left, right):
                    return False
                left = right
            return True

        return compute

    def _called(self, node: ast.Call, name: str) -> Compute:
        function, count = _FUNCTIONS[name]
        if node.keywords or len(node.args) != (count or max(1, len(node.args))):
            got, usage = quoted(self._source.written(node)), f"write {name}({'x' if count else 'a, b'})"
            raise self._source.error(node, f"{name} does not take these operands", got, usage)
        operands = [(self._compiled(part), part) for part in node.args]
        return lambda find: function(*[self._number(compute(find), part) for compute, part in operands])

    # --- at work

    def _field(self, thing: Result, name: str, place: ast.expr | int) -> Plain:
        if not isinstance(thing, Mapping):
            what = "a field of something that is no node"
            raise self._source.error(place, what, f"{_shown(thing)} in front of it", "take the field away")
        if name not in thing:
            raise self._source.error(place, "an unknown field", quoted(name), f"ask for {', '.join(thing)}")
        return thing[name]

    def _plain(self, thing: Result, node: ast.expr) -> Plain:
        return self._field(thing, "data", node) if isinstance(thing, Mapping) else thing

    def _number(self, thing: Result, node: ast.expr) -> float:
        if thing.__class__ is float:
            return thing
        thing = self._plain(thing, node)
        if isinstance(thing, (float, int)):
            return float(thing)
        written = quoted(self._source.written(node))
        to_do = "compare strings with == or !=" if isinstance(thing, str) else f"ask first whether {written} is there"
        raise self._source.error(node, "a number is needed here", f"{_shown(thing)} for {written}", to_do)


def _shown(thing: object) -> str:
    return quoted(thing) if isinstance(thing, str) else str(thing)


_SIGNS = {
    "+", "-", "*", "/", "//", "%", "**", "(", ")", ",", ".", "<", "<=", ">", ">=", "==", "!=", "and", "or", "not", '"',
    "'", "#5",
}  # fmt: skip

_ONE = "write one condition; join several with and"
_NODES = 'write node("name") for a name with brackets or points'
_ADVICE = {
    "": 'is an operator or a bracket missing? names with points are written node("layers.0.bias")',
    "=": "write == to compare", ":=": "write == to compare", "is": "write == to compare",
    "^": "write x ** 2 for a power", "&": "write and", "|": "write or", "!": "write not", "~": "write not",
    ";": _ONE, "[": _NODES, "]": _NODES,
    "if": "write and, or, not", "else": "write and, or, not", "in": "compare with ==, and join with or",
    "True": "write 1", "False": "write 0", "None": "write not x where x may be missing",
    "#": "write the number of a node right behind it, as in #5", "\\": "write one line",
}  # fmt: skip

_NUMBERS = {"inf": math.inf, "nan": math.nan, "pi": math.pi}

_ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "div": divide, "floordiv": floor_divide,
    "mod": remainder, "pow": power,
}  # fmt: skip

_TESTS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}  # fmt: skip

_FUNCTIONS: dict[str, tuple[Callable[..., Any], int]] = {  # and how many operands, 0 for any number
    "abs": (abs, 1), "min": (lambda *xs: minimum(xs), 0), "max": (lambda *xs: maximum(xs), 0),
    "isnan": (math.isnan, 1), "isinf": (math.isinf, 1), "isfinite": (math.isfinite, 1),
    "sqrt": (IEEE["sqrt"], 1), "log": (IEEE["log"], 1), "exp": (IEEE["exp"], 1),
}  # fmt: skip
