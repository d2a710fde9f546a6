"""Formulas as people read them, with the operands' own names: what a node computes, and each partial."""

from __future__ import annotations

from engine.ops import CONSTANT, LEAF
from engine.rules import formula, partial_texts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.value import Value


def operand_names(node: Value) -> list[str]:
    """A name for each parent: its label, its number for a constant, else x, y, ... or x1, x2, ...

    >>> from engine import Value
    >>> a = Value(2.0, label="a")
    >>> operand_names(a * 3), operand_names(Value(1.0) / Value(2.0))
    (['a', '3'], ['x', 'y'])
    """
    if node.op.variadic:
        lists, size = len(node.op.operands), len(node.parents) // len(node.op.operands)
        names = [f"{name[0]}{i + 1}" for name in node.op.operands[:lists] for i in range(size)]
    else:
        names = list(node.op.operands)
    return [
        parent.label or (f"{parent._data:g}" if parent.op is CONSTANT else name)
        for parent, name in zip(node.parents, names, strict=True)
    ]


def value_formula(node: Value, names: list[str] | None = None) -> str:
    """The operation as people write it, with the operands' names: `a * b`, `tanh(n)`, `sum(x1, x2, ...)`.

    >>> from engine import Value
    >>> value_formula(Value(1.0, label="a") / 2)
    'a / 2'
    """
    names, op = names or operand_names(node), node.op
    if op.symbol != op.name:
        names = [f"({n})" if n.startswith("-") else n for n in names]
        return f" {op.symbol} ".join(names) if len(names) == 2 else f"{op.symbol}{names[0]}"
    shown = names if len(names) <= 6 else [*names[:3], "...", *names[-2:]]
    return f"{op.name}({', '.join(shown)})"


def partial_formulas(node: Value, name: str = "z", names: list[str] | None = None) -> list[str]:
    """The rule of each partial, with the operands' names in it; `name` stands for the node itself.

    >>> from engine import Value
    >>> partial_formulas(Value(1.0, label="a") / Value(2.0, label="b"), "q")
    ['1 / b', '-q / b']
    """
    names, op = names or operand_names(node), node.op
    texts = partial_texts(op, len(names))
    if not op.variadic:
        constants = {
            o: parent._data
            for o, parent in zip(op.operands, node.parents, strict=True)
            if parent.op is CONSTANT and not parent.label
        }
        known = {o: n for o, n in zip(op.operands, names, strict=True) if o not in constants}
        return [formula(op, text, {**known, "z": name}, constants) for text in texts]
    size = len(names) // len(op.operands)
    return [
        formula(op, text, {"x": names[k % size], "y": names[size + k % size] if len(names) > size else "y", "z": name,
                           "n": str(size), **{o: f"{o[0]}1..{o[0]}{size}" for o in op.operands}})
        for k, text in enumerate(texts)
    ]  # fmt: skip


def describe(node: Value) -> str:
    """A node over several lines; see `Value.describe`."""
    name = node.label or "z"
    parents = operand_names(node)
    if node.op in (LEAF, CONSTANT):
        head = f"{name} = {node._data!r}, {node.op.doc}"
    else:
        head = f"{name} = {value_formula(node)} = {node._data!r}"
    lines = [head, f"  gradient  {node._grad!r}"]
    if node.source:
        lines.append(f"  made at   {node.source[0]}:{node.source[1]}")
    rows = list(zip(node.parents, parents, partial_formulas(node, name), node.partials, strict=True))
    shown = rows if len(rows) <= 10 else rows[:5] + rows[-4:]
    for k, (parent, label, rule, partial) in enumerate(shown):
        if k == 5 and shown is not rows:
            lines.append(f"  ... {len(rows) - 9} more ...")
        if parent.op is CONSTANT:
            lines.append(f"  {label} is a constant")
        else:
            lines.append(f"  d{name}/d{label} = {rule} = {partial!r}   {label} = {parent._data!r}")
    return "\n".join(lines)
