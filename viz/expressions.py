"""Graphs from text: `tanh(w * x + b)` and numbers for the names give the Value that Python would give for that line.

The language is small: numbers, names, arithmetic, the functions of the operation table, and `name = ...;` in front for
what occurs more than once. It is read by `syntax.py` and walked here; Python never runs any of it, so a text may come
from anywhere.

>>> loss = evaluate("h = w * x; tanh(h) + h", {"w": 2.0, "x": -0.5})
>>> loss
Value(-1.7615941559557649, grad=0.0, op='add')
>>> loss.parents[1].label
'h'
"""

from __future__ import annotations

import ast
import math
from itertools import chain

from engine import OPS, Op, Value, functions
from engine.generate import parameters
from viz.syntax import ExpressionError, Source, quoted
from viz.wording import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping

    Item = Value | float  # floats for what is computed from numbers of the text alone
    Scope = dict[str, Item]
    Compute = Callable[[Scope], Item]


def evaluate(text: str, variables: Mapping[str, Value | float]) -> Value:
    """The Value that an expression stands for.

    Args:
        text: such as `a * b + 1`, `clip(x, high=2)`, `dot([a, b], [c, d])`, `max(a, b)`; all numbers are floats, with
            IEEE 754's answers. Parts are separated by `;`: all but the last are `name = expression`, and the name
            becomes the node's label if it has none. `inf`, `nan`, `pi` and `e` are numbers unless there are variables
            of that name.
        variables: Values, used as they are, and numbers, each of which becomes one Value with the name as its label.

    Raises:
        ExpressionError: the text is not of this language, a name has no value, an operation does not take its
            operands, or no variable occurs. It points at the place.
        TypeError: a variable is neither a Value nor a number.

    >>> evaluate("(a + 1) / a", {"a": 0.0})
    Value(inf, grad=0.0, op='div')
    """
    return _Program(text).run(variables)


def free_names(text: str, given: Container[str] = ()) -> list[str]:
    """The names that need a value, in the order in which they occur; `pi` and its like only if one is given.

    Raises:
        ExpressionError: the text is not of this language.

    >>> free_names("h = w * x + pi; tanh(h) * w")
    ['w', 'x']
    """
    return [name for name in _Program(text).names if name not in _NUMBERS or name in given]


_NUMBERS = {"inf": math.inf, "nan": math.nan, "pi": math.pi, "e": math.e}

_SIGNS = {"+", "-", "*", "/", "//", "%", "**", "(", ")", "[", "]", ",", ";", "=", "."}

_NO_STRING = "write numbers and names"
_ADVICE = {
    **{op.symbol: f"write {name}(a, b)" for name, op in OPS.items() if op.symbol in ("<", "<=", ">", ">=", "==", "!=")},
    "^": "write x ** 2 for a power", "@": "write dot([a, b], [c, d])", "|": "write abs(x), or max(a, b) for or",
    "&": "write min(a, b)", "!": "write not_equal(a, b)", "~": "write equal(x, 0)", "?": "write where(c, x, y)",
    ":": "write h = a * b; tanh(h)", ":=": "write h = a * b; tanh(h)", "{": "write [a, b]", "}": "write [a, b]",
    "#": "take the comment out", "\\": "write one line", '"': _NO_STRING, "'": _NO_STRING,
    "if": "write where(c, x, y)", "else": "write where(c, x, y)", "and": "write min(a, b)", "or": "write max(a, b)",
    "not": "write equal(x, 0)", "is": "write equal(a, b)", "True": "write 1", "False": "write 0",
    "for": "write the operands one by one, as in sum([a, b])",
}  # fmt: skip

_INSTEAD = {
    ast.Subscript: "give each number a name of its own: x0, x1",
    ast.Starred: "write the operands one by one",
    ast.List: "lists are operands of sum([a, b]) and its like",
    ast.Tuple: "lists are operands of sum([a, b]) and its like",
    ast.AugAssign: "write h = a * b; with a new name each time",
}


class _Program:
    """An expression that has been read: what it asks for, and how to compute it."""

    def __init__(self, text: str) -> None:
        self.source = Source(text, _SIGNS, _ADVICE)
        self.names: dict[str, ast.Name] = {}  # where each occurs first
        self.assigned: dict[str, ast.Name] = {}
        self.parts: list[tuple[str | None, Compute]] = []
        *before, self.last = self.source.statements
        for statement in before:
            if isinstance(statement, ast.Expr):
                raise self.source.refusal(statement, "give it a name, as in h = a * b; or leave it out")
            self._read(statement)
        self._read(self.last)

    def _read(self, statement: ast.stmt) -> None:
        match statement:
            case ast.Expr(value=value):
                self.parts.append((None, self._compiled(value)))
            case ast.Assign(targets=[ast.Name(id=name) as target], value=value):
                self.parts.append((name, self._compiled(value)))
                if name in self.names or name in self.assigned:
                    raise self._taken(target)
                self.assigned[name] = target
            case _:
                to_do = _INSTEAD.get(type(statement), "write an expression, or name = expression;")
                raise self.source.refusal(statement, to_do)

    def _taken(self, target: ast.Name) -> ExpressionError:
        return self.source.error(target, "a name that has a value already", quoted(target.id), "choose another name")

    def run(self, variables: Mapping[str, Value | float]) -> Value:
        for name, target in self.assigned.items():
            if name in variables:
                raise self._taken(target)
        scope = {name: self._given(name, node, variables) for name, node in self.names.items()}
        for target_name, compute in self.parts:
            result = compute(scope)
            if target_name is not None:
                scope[target_name] = result
                if isinstance(result, Value) and result.label is None:
                    result.label = target_name
        if isinstance(result, Value):
            return result
        raise self.source.error(self.last, "an expression without variables", f"{result:g}", "let a name occur in it")

    def _given(self, name: str, node: ast.Name, variables: Mapping[str, Value | float]) -> Item:
        if name in variables:
            given = variables[name]
            return given if isinstance(given, Value) else Value(given, label=name)
        if name in _NUMBERS:
            return _NUMBERS[name]
        if name in OPS:
            raise self.source.error(node, "a function without operands", quoted(name), f"write {name}(...)")
        known = [*variables, *self.assigned, *_NUMBERS]
        raise self.source.unknown(node, "name", name, known, "give it a value")

    # --- expressions

    def _compiled(self, node: ast.expr) -> Compute:
        """How to compute it; raises for whatever is not listed here."""
        match node:
            case ast.Constant():
                number = self.source.number(node)
                return lambda scope: number
            case ast.Name(id=name):
                if name not in self.assigned:
                    self.names.setdefault(name, node)
                return lambda scope: scope[name]
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self._compiled(operand)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self._applied(node, OPS["neg"], {"x": [operand]})
            case ast.BinOp():
                return self._chained(node)
            case ast.Call(func=ast.Name(id=name)) if name in OPS:
                return self._applied(node, OPS[name], self._operands(node, OPS[name]))
            case ast.Call(func=ast.Attribute() as attribute) | (ast.Attribute() as attribute):
                name, column = self.source.attribute(attribute)
                to_do = f"write {name}(...)" if name in OPS else "choose a name without a point"
                raise self.source.error(column, "an attribute that has no place here", quoted(name), to_do)
            case ast.Call(func=called):
                raise self._no_function(called)
            case _:
                raise self.source.refusal(node, _INSTEAD.get(type(node), "write numbers, names, operators and calls"))

    def _chained(self, node: ast.BinOp) -> Compute:
        """A sum of any length without recursion."""
        first, links = self.source.operands(node)
        start = self._compiled(first)
        steps = [(OPS[name], self._compiled(right)) for name, right in links]

        def compute(scope: Scope) -> Item:
            total = start(scope)
            for op, right in steps:
                total = self._result(node, op, {"x": [total], "y": [right(scope)]})
            return total

        return compute

    def _applied(self, node: ast.expr, op: Op, operands: dict[str, list[ast.expr]]) -> Compute:
        computes = {name: [self._compiled(part) for part in parts] for name, parts in operands.items()}

        def compute(scope: Scope) -> Item:
            return self._result(node, op, {name: [c(scope) for c in row] for name, row in computes.items()})

        return compute

    def _result(self, node: ast.expr, op: Op, operands: dict[str, list[Item]]) -> Item:
        function = getattr(functions, op.name)
        try:
            result: Value = function(**{name: row if op.variadic else row[0] for name, row in operands.items()})
        except (TypeError, ValueError) as error:
            raise ExpressionError(visible(str(error), 300), self.source.text, self.source.column(node)) from None
        return result if any(isinstance(item, Value) for item in chain(*operands.values())) else result.data

    # --- calls

    def _no_function(self, called: ast.expr) -> ExpressionError:
        if not isinstance(called, ast.Name):
            got = quoted(self.source.written(called))
            return self.source.error(called, "a call of something that is no function", got, "write * for a product")
        aliases = {"ln": "log", **{alias: op.name for op in OPS.values() for alias in op.aliases}}
        if called.id in aliases:
            return self.source.unknown(called, "function", called.id, (), f"write {aliases[called.id]}")
        to_do = "write * for a product, or one of the functions such as tanh and exp"
        return self.source.unknown(called, "function", called.id, OPS, to_do)

    def _operands(self, call: ast.Call, op: Op) -> dict[str, list[ast.expr]]:
        """The expressions for each operand: one, or those of a list."""
        loose = op.variadic and len(op.operands) == 1 and not call.keywords
        if loose and call.args and not any(map(_is_list, call.args)):
            return {op.operands[0]: call.args}
        if len(call.args) > len(op.operands):
            raise self._misfit(call.args[len(op.operands)], op, f"{len(call.args)} operands")
        given: dict[str, list[ast.expr]] = {}
        names = [*op.operands[: len(call.args)], *(keyword.arg or "**" for keyword in call.keywords)]
        for name, part in zip(names, [*call.args, *(keyword.value for keyword in call.keywords)], strict=True):
            if name not in op.operands or name in given:
                raise self._misfit(part, op, f"{'a second' if name in given else 'an unknown'} operand {quoted(name)}")
            if op.variadic and not isinstance(part, (ast.List, ast.Tuple)):
                raise self._misfit(part, op, f"{quoted(self.source.written(part))} for a list")
            given[name] = part.elts if isinstance(part, (ast.List, ast.Tuple)) and op.variadic else [part]
        missing = [name for name in op.operands if name not in given and name not in op.defaults]
        if missing:
            raise self._misfit(call, op, f"none for {' and '.join(missing)}")
        return given

    def _misfit(self, place: ast.expr, op: Op, got: str) -> ExpressionError:
        lists = ["[a, b]", "[c, d]"][: len(op.operands)]
        usage = f"{op.name}({', '.join(lists) if op.variadic else parameters(op)})"
        return self.source.error(place, f"{op.name} does not take these operands", got, f"write {usage}")


def _is_list(node: ast.expr) -> bool:
    return isinstance(node, (ast.List, ast.Tuple))
