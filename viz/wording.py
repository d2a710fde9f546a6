"""What every picture says alike: how nodes are called, how numbers are written, how labels become harmless."""

from __future__ import annotations

import unicodedata

from engine import Value
from engine.formulas import value_formula
from engine.ops import CONSTANT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LABEL_LIMIT = 40
OPERAND_LIMIT = 14
FORMULA_LIMIT = 32

# Wide enough for any number that `number` writes but those beyond 1e±100: columns and boxes keep their width.
NUMBER_WIDTH = 11


def results(value: object, caller: str) -> tuple[Value, ...]:
    """The nodes a picture starts from, each once.

    Raises:
        TypeError: it is not a Value, nor a list or tuple of them.
        ValueError: the list is empty.
    """
    values = value if isinstance(value, (list, tuple)) else (value,)
    if not values:
        raise ValueError(f"{caller} needs a Value; got an empty {type(value).__name__}; pass at least one")
    for k, thing in enumerate(values):
        if not isinstance(thing, Value):
            where = f" at position {k} of the {type(value).__name__}" if values is value else ""
            raise TypeError(
                f"{caller} shows a Value, or a list or tuple of them; got {type(thing).__name__}{where}; "
                "pass the result of an expression of Values, such as the loss"
            )
    return tuple(dict.fromkeys(values))


def numbered(order: Iterable[Value]) -> dict[Value, int]:
    """Each node's number in topological order, from 1: the same for the same graph, in every process."""
    return {node: k for k, node in enumerate(order, 1)}


def number(amount: float) -> str:
    """Five significant digits, at most 11 characters unless beyond 1e±100.

    >>> number(-6.0), number(0.99932929), number(float("nan")), number(-1.23456789e-12)
    ('-6', '0.99933', 'nan', '-1.2346e-12')
    """
    return f"{amount:.5g}"


def counted(count: int, noun: str) -> str:
    """A count in words.

    >>> counted(1, "node"), counted(1234, "leaf")
    ('1 node', '1,234 leaves')
    """
    return f"{count:,} {noun if count == 1 else {'leaf': 'leaves', 'box': 'boxes'}.get(noun, f'{noun}s')}"


def title(node: Value, numbers: Mapping[Value, int]) -> str:
    """The node's label, or its number."""
    return visible(node.label) if node.label else f"#{numbers[node]}"


def formula(node: Value, numbers: Mapping[Value, int], names: list[str] | None = None) -> str:
    """How the node was computed, its operands called by label or number: `a * b`, `tanh(#5)`, `dot(8 operands)`.

    Other names for the operands can be given.

    >>> from engine.graph import topological_order
    >>> a = Value(2.0, label="a")
    >>> root = (a * a + 1).sqrt()
    >>> numbers = numbered(topological_order(root))
    >>> [formula(node, numbers) for node in numbers if node.parents]
    ['a * a', '#2 + 1', 'sqrt(#4)']
    """
    text = value_formula(node, names or [operand(parent, numbers) for parent in node.parents])
    return text if len(text) <= FORMULA_LIMIT else f"{node.op.name}({len(node.parents)} operands)"


def operand(parent: Value, numbers: Mapping[Value, int]) -> str:
    """A short name, or the number of a constant."""
    if parent.label:
        return short(parent.label)
    return number(parent.data) if parent.op is CONSTANT else f"#{numbers[parent]}"


def short(label: str) -> str:
    """A label as an operand; of a long dotted one the last parts.

    >>> short("layers.0.neurons.2.weight.1"), short("layers.0")
    ('…2.weight.1', 'layers.0')
    """
    last = label[1 - OPERAND_LIMIT :].partition(".")[2]
    if len(label) > OPERAND_LIMIT and last:
        return f"…{visible(last, OPERAND_LIMIT)}"
    return visible(label, OPERAND_LIMIT)


def visible(text: str, limit: int = LABEL_LIMIT) -> str:
    r"""A label as it can be shown: on one line, no longer than the limit, unprintable characters as escapes.

    That are control characters (XML cannot contain them), lone surrogates (UTF-8 cannot), and marks that change the
    direction of the text around them. Those that join letters and emoji stay.

    >>> visible("a\nb\0"), visible("layers.0.neurons.12.weight.1", 14)
    ('a\\nb\\x00', 'layer…weight.1')
    """
    text = shortened(text, limit)
    if text.isprintable():
        return text
    return shortened("".join(map(_escaped, text)), limit)


_JOINERS = "\u200c\u200d"


def _escaped(character: str) -> str:
    if character.isprintable() or character in _JOINERS or unicodedata.category(character) == "Zs":
        return character
    return character.encode("unicode_escape").decode("ascii")


def shortened(text: str, limit: int) -> str:
    """The beginning and the end: the names of parameters differ at both."""
    if len(text) <= limit:
        return text
    end = limit * 3 // 5
    return f"{text[: limit - 1 - end]}…{text[-end:]}"


def file_name(path: str) -> str:
    """What a source file is called: its name without folders; `cell` for a notebook's, whose files are numbers.

    >>> file_name("demos/xor.py"), file_name("ipykernel_19582/2832812818.py"), file_name("<stdin-3>")
    ('xor.py', 'cell', '<stdin-3>')
    """
    *folders, name = path.replace("\\", "/").split("/")
    return "cell" if folders and folders[-1].startswith("ipykernel_") else visible(name)


def width(text: str) -> int:
    """How many columns of a terminal it takes: two for a Chinese character, none for a combining accent."""
    if text.isascii():
        return len(text)
    return sum(map(_columns, text))


def _columns(character: str) -> int:
    if unicodedata.east_asian_width(character) in "WF":
        return 2
    return 0 if unicodedata.category(character) in ("Mn", "Me", "Cf") else 1
