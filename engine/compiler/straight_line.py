"""A scalar program as straight-line Python over floats: the derivative program that one would write by hand.

Every operation's rule text is put in place with the operands' names. What depends on parameters alone stands before
the loop over the examples, and its reverse after it. No NumPy. Two spellings of each function: `fast`, which may raise
or give nan at the corners of its domain, and `ieee`, which answers as IEEE 754 does and is used then.
"""

from __future__ import annotations

import keyword
import re
from collections import Counter

from engine.compiler.scalars import INPUT, SOURCES, Scalars
from engine.floats import FAST, IEEE
from engine.ops import LEAF, Op
from engine.rules import Body

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

_WORD = re.compile(r"\b[a-z]\w*")
_ATOM = re.compile(r"(\w+\()?[\w.]+\)?")
_FEW = 12  # operands of a sum or dot that is written out
_LONG = 150  # letters of an expression that moves into the one that uses it
_bodies: dict[tuple[Op, str, tuple[int, ...]], _Pattern] = {}
_SUMS = ("add", "sub", "sum", "mean")
_PRODUCT = re.compile(r"[\w.]+( \* [\w.]+)*")


class _Pattern:
    """The rule of one operation with wanted partials, taken apart into texts."""

    def __init__(self, op: Op, style: str, wanted: tuple[int, ...]) -> None:
        body = Body(op, style, wanted, quick=style == "fast")
        at = next(k for k, line in enumerate(body.lines) if line.startswith("z = "))
        self.before, self.value, self.after = body.lines[:at], body.lines[at][4:], body.lines[at + 1 :]
        self.partials = body.elements
        self.raises = body.raises
        self.temporaries = [line.split(" = ")[0] for line in self.before + self.after]
        in_value = Counter(_WORD.findall(self.value))
        others = set(_WORD.findall(" ".join([*self.before, *self.after, *self.partials.values()])))
        self.once = {name for name in op.operands if in_value[name] == 1 and name not in others}
        self.uses_result = "z" in others


def _pattern(op: Op, style: str, wanted: tuple[int, ...]) -> _Pattern:
    key = op, style, wanted
    if key not in _bodies:
        _bodies[key] = _Pattern(*key)
    return _bodies[key]


class Source:
    """The source of one function, `compute(parameters, rows)`.

    Without `of` it returns each example's outputs, as a list of tuples; with it the mean of output number `of` and
    the gradient of that mean over the parameters.

    >>> from engine import Value
    >>> from engine.compiler.scalars import scalars_of
    >>> w, x = Value(2.0, label="w"), Value(3.0, label="x")
    >>> print(Source(scalars_of([(w * x).sin()], [x]), of=0).text)
    def compute(parameters, rows):
        w, = parameters
        share = 1.0 / len(rows)
        d_w = total = 0.0
        for x, in rows:
            v2 = w * x
            v3 = _sin(v2)
            total += v3
            d_v2 = share * _cos(v2)
            d_w += d_v2 * x
        total *= share
        return total, [d_w]
    """

    def __init__(self, program: Scalars, of: int | None = None, style: str = "fast") -> None:
        self.program, self.of, self.style = program, of, style
        self.outputs = program.outputs if of is None else [program.outputs[of]]
        self.lane = program.moving(INPUT)
        self.moves = program.moving(LEAF) if of is not None else [False] * len(program)
        self.needed = _needed(program, self.outputs)
        self.names = _names(program)
        self.texts = list(self.names)
        for i, number in program.numbers.items():
            self.texts[i] = repr(number)
        self.partials: dict[int, list[tuple[int, str]]] = {}
        self._uses = Counter(j for i, operands in enumerate(program.operands) if self._computed(i) for j in operands)
        self._uses.update(self.outputs)
        self._consumer = {
            j: i for i, operands in enumerate(program.operands) if self._computed(i) for j in operands
        }  # fmt: skip
        self.text = "\n".join(self._lines())

    def __str__(self) -> str:
        return self.text

    def _computed(self, i: int) -> bool:
        return self.needed[i] and self.program.ops[i] not in SOURCES

    def _lines(self) -> Iterator[str]:
        program, names = self.program, self.names
        parameters = [names[i] for i in _leaves(program)]
        inputs = [names[i] for i in range(program.inputs)]
        forward: tuple[list[str], list[str]] = ([], [])  # for all examples, for each example
        for i in range(len(program)):
            if self._computed(i):
                forward[self.lane[i]].extend(self._statements(i))
        yield "def compute(parameters, rows):"
        if parameters:
            yield f"    {', '.join(parameters)}, = parameters"
        yield from ("    " + line for line in forward[False])
        loop = f"    for {', '.join(inputs) + ',' if inputs else '()'} in rows:"
        if self.of is None:
            yield "    results = []"
            yield loop
            yield from ("        " + line for line in forward[True])
            yield f"        results.append(({''.join(self.texts[i] + ', ' for i in self.outputs)}))"
            yield "    return results"
            return
        [output] = self.outputs
        reverse = _Reverse(self)
        yield "    share = 1.0 / len(rows)"
        yield f"    {''.join(f'{name} = ' for name in reverse.sums)}total = 0.0"
        if self.lane[output]:
            yield loop
            yield from ("        " + line for line in forward[True])
            yield f"        total += {self.texts[output]}"
            yield from ("        " + line for line in reverse.lines[True])
            yield "    total *= share"
        else:
            yield f"    total = {self.texts[output]}"
        yield from ("    " + line for line in reverse.lines[False])
        yield f"    return total, [{', '.join(reverse.gradients)}]"

    def _statements(self, i: int) -> Iterator[str]:
        """The statements that compute one position; none if its expression moves into the one that uses it."""
        op, operands = self.program.ops[i], self.program.operands[i]
        wanted = tuple(k for k in range(len(op.operands)) if any(self.moves[j] for j in _part(op, operands, k)))
        pattern = _pattern(op, self.style, wanted)
        words = {name: f"{self.names[i]}_{name}" for name in pattern.temporaries} | {"z": self.names[i]}
        if op.variadic:
            lists = [[self.texts[j] for j in _part(op, operands, k)] for k in range(len(op.operands))]
            words["n"] = repr(float(len(lists[0])))
            words |= {f"{name}": f"[{', '.join(texts)}]" for name, texts in zip(op.operands, lists, strict=True)}
            value = self._written_out(op, lists) or _put(pattern.value, words)
        else:
            words |= dict(zip(op.operands, (self.texts[j] for j in operands), strict=True))
            value = _put(pattern.value, words)
        yield from (_put(line, words) for line in pattern.before)
        if self._moves_in(i, pattern, value):
            plain = self.program.ops[self._consumer[i]].name in _SUMS and _PRODUCT.fullmatch(value)
            self.texts[i] = value if plain else f"({value})"
        else:
            yield f"{self.names[i]} = {value}"
        yield from (_put(line, words) for line in pattern.after)
        self.partials[i] = [
            (j, self._element(op, pattern.partials[k], words, operands, k, n))
            for k in wanted for n, j in enumerate(_part(op, operands, k)) if self.moves[j]
        ]  # fmt: skip

    def _written_out(self, op: Op, lists: list[list[str]]) -> str | None:
        if len(lists[0]) > _FEW or op.name not in ("sum", "dot", "mean"):
            return None
        terms = [" * ".join(pair) for pair in zip(*lists, strict=True)]
        return " + ".join(terms) if op.name != "mean" else f"({' + '.join(terms)}) / {float(len(terms))}"

    def _element(self, op: Op, text: str, words: dict[str, str], operands: Sequence[int], k: int, n: int) -> str:
        """The partial of one operand, as source."""
        if not op.variadic:
            return _put(text, words)
        if op.name == "prod":
            return f"{_put(text, words)}[{n}]"
        one = {name: self.texts[_part(op, operands, side)[n]] for side, name in enumerate("xy"[: len(op.operands)])}
        return _put(text, words | one)

    def _moves_in(self, i: int, pattern: _Pattern, value: str) -> bool:
        """Whether the expression at i is written where it is used: once, it is short, and nothing else needs it."""
        if self._uses[i] != 1 or pattern.uses_result or len(value) > _LONG or i in self.outputs:
            return False
        user = self._consumer[i]
        op, operands = self.program.ops[user], self.program.operands[user]
        if self.lane[user] != self.lane[i] or op.name not in (*_SUMS, "mul", "div", "neg"):
            return False
        if op.variadic:
            return len(operands) <= _FEW
        wanted = tuple(k for k, j in enumerate(operands) if self.moves[j])
        return op.operands[operands.index(i)] in _pattern(op, self.style, wanted).once


class _Reverse:
    """The reverse sweep of a source: statements for each example, and for all of them at the end."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.lines: tuple[list[str], list[str]] = ([], [])
        self.sums: list[str] = []
        program, names, lane = source.program, source.names, source.lane
        [output] = source.outputs
        contributions: dict[int, list[str]] = {output: ["share" if lane[output] else "1.0"]}
        summed: set[int] = set()
        for i in range(output, -1, -1):
            if not source.moves[i] or program.ops[i] is LEAF or i not in contributions:
                continue
            upstream = self._upstream(i, contributions.pop(i), summed)
            for j, partial in source.partials[i]:
                part = _product(upstream, partial)
                if lane[i] and not lane[j]:
                    if j not in summed:
                        summed.add(j)
                        self.sums.append(f"d_{names[j]}")
                        contributions.setdefault(j, []).insert(0, f"d_{names[j]}")
                    self.lines[True].append(f"d_{names[j]} += {part}".replace("+= -", "-= "))
                else:
                    contributions.setdefault(j, []).append(part)
        self.gradients = [
            _sum(contributions.get(i, ["0.0"])) for i in _leaves(program)
        ]  # fmt: skip

    def _upstream(self, i: int, parts: list[str], summed: set[int]) -> str:
        """The name of the gradient at i, when all contributions are there."""
        text = _sum(parts)
        if _ATOM.fullmatch(text):
            return text
        name = f"d_{self.source.names[i]}"
        if i in summed:  # what the loop summed has that name
            self.lines[False].append(f"{name} += {_sum(parts[1:])}")
        else:
            self.lines[self.source.lane[i]].append(f"{name} = {text}")
        return name


def _leaves(program: Scalars) -> list[int]:
    """The positions of the parameters, in the order of their numbers."""
    leaves = [i for i, op in enumerate(program.ops) if op is LEAF]
    return sorted(leaves, key=lambda i: program.operands[i][0])


def _needed(program: Scalars, outputs: Sequence[int]) -> list[bool]:
    needed = [False] * len(program)
    for i in outputs:
        needed[i] = True
    for i in range(len(program) - 1, -1, -1):
        if needed[i] and program.ops[i] not in SOURCES:
            for j in program.operands[i]:
                needed[j] = True
    return needed


def _part(op: Op, operands: Sequence[int], k: int) -> Sequence[int]:
    """The operands that the k-th name of the rule stands for."""
    if not op.variadic:
        return operands[k : k + 1]
    size = len(operands) // len(op.operands)
    return operands[k * size : (k + 1) * size]


def _names(program: Scalars) -> list[str]:
    """A variable for each position: labels as far as Python allows, each once."""
    taken: set[str] = {"parameters", "rows", "results", "share", "total", "compute", "inf", "nan"}
    names = []
    for i in range(len(program)):
        label = re.sub(r"\W", "_", program.names.get(i, ""), flags=re.ASCII)
        name = label if label and not label[0].isdigit() and label[0] != "_" else f"v{i}"
        while name in taken or f"d_{name}" in taken or keyword.iskeyword(name) or name.startswith("d_"):
            name = f"v{i}" if name != f"v{i}" and not name.startswith("v") else f"v_{name}"
        taken.add(name)
        names.append(name)
    return names


def _put(text: str, words: dict[str, str]) -> str:
    """A rule text with other words in place of its own."""
    return _WORD.sub(lambda match: _inner(words.get(match[0], match[0])), text)


def _inner(text: str) -> str:
    return f"({text})" if text.startswith("-") else text


def _product(upstream: str, partial: str) -> str:
    if partial in ("1.0", "-1.0"):
        return upstream if partial == "1.0" else f"-{upstream}"
    return f"{upstream} * {partial if _ATOM.fullmatch(partial) else f'({partial})'}"


def _sum(parts: Sequence[str]) -> str:
    return " + ".join(parts).replace("+ -", "- ")


NAMESPACES: dict[str, dict[str, Any]] = {
    style: {**{f"_{name}": function for name, function in functions.items()}, "inf": float("inf"), "nan": float("nan")}
    for style, functions in (("fast", FAST), ("ieee", IEEE))
}


def function_of(program: Scalars, of: int | None, title: str) -> Callable[[Sequence[float], Sequence[Any]], Any]:
    """The function that the source defines; where it raises or gives nan, its `ieee` spelling answers."""
    fast = _define(Source(program, of).text, f"{title}", "fast")
    careful: list[Callable[..., Any]] = []

    def compute(parameters: Sequence[float], rows: Sequence[Any]) -> Any:
        try:
            result = fast(parameters, rows)
            if of is None:
                return result
            check = sum(result[1], result[0])
            if check == check:  # nan is not itself
                return result
        except (ArithmeticError, ValueError):
            pass
        if not careful:
            careful.append(_define(Source(program, of, "ieee").text, f"{title}, IEEE", "ieee"))
        return careful[0](parameters, rows)

    return compute


def _define(text: str, title: str, style: str) -> Callable[..., Any]:
    import linecache

    file = f"<glassgrad {title}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    made: dict[str, Callable[..., Any]] = {}
    exec(compile(text, file, "exec"), NAMESPACES[style], made)
    return made["compute"]
