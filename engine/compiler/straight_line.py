"""A scalar program as straight-line Python over floats: the derivative program that one would write by hand.

Every operation's rule text is put in place with the operands' names; an expression that is used once stands where it
is used. What is the same for all examples stands before the loop over them, and its reverse after it. No NumPy. Two
spellings of each function: `fast`, which may raise, overflow or give nan at the corners of its domain, and `ieee`,
which answers as IEEE 754 does and is used then.
"""

from __future__ import annotations

import keyword
import re
from collections import Counter

from engine.compiler.rule_texts import ATOM, PRODUCT, SUM, bound, pattern
from engine.compiler.scalars import INPUT, SOURCES, Scalars
from engine.compiler.straight_reverse import Reverse
from engine.floats import FAST, IEEE
from engine.ops import LEAF, Op

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from engine.compiler.rule_texts import Pattern

_SHORT = 12  # letters of a label that is a name
_LONG = 150  # letters of an expression that moves into the one that uses it
_TERMS = 64  # of a sum in one statement: longer ones would end in the parser's limits
_WRITTEN_OUT = ("sum", "mean", "dot")
# what does not tell 0.0 from -0.0 in its operands, and what only passes the sign on
_BLIND = {
    "sum", "mean", "dot", "exp", "cosh", "cos", "square", "sigmoid", "softplus", "log_sigmoid", "logsumexp", "relu",
    "abs",
}  # fmt: skip
_PASSING = {"add", "sub", "neg", "mul", "tanh", "sin"}


class Source:
    """The source of one function, `compute(parameters, rows)`.

    Without `of` it returns each example's outputs, as a list of tuples; with it the mean of output number `of` and
    the gradient of that mean over the parameters, and `with_results` the list as well.

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
            total += _sin(v2)
            d_w += share * _cos(v2) * x
        return share * total, [d_w]
    """

    def __init__(
        self, program: Scalars, of: int | None = None, style: str = "fast", with_results: bool = False
    ) -> None:
        self.program, self.of, self.style = program, of, style
        self.with_results = with_results or of is None
        self.outputs = program.outputs if of is None or with_results else [program.outputs[of]]
        self.lane = program.moving(INPUT)
        self.moves = program.moving(LEAF) if of is not None else [False] * len(program)
        self.leaves = sorted(
            (i for i, op in enumerate(program.ops) if op is LEAF), key=lambda i: program.operands[i][0]
        )
        self.names = _names(program)
        self.fixed = {name for name, moves in zip(self.names, self.lane, strict=True) if not moves}
        self.texts = list(self.names)
        for i, number in program.numbers.items():
            self.texts[i] = repr(number)
        self.bindings = [ATOM] * len(program)
        self.partials: dict[int, list[tuple[int, str]]] = {}
        self._computed = self._needed()
        self._uses = Counter(j for i in self._computed for j in program.operands[i])
        self._uses.update(self.outputs)
        self._user = {j: (i, k) for i in self._computed for k, j in enumerate(program.operands[i])}
        self._signed = self._where_zeros_have_signs()
        self.text = "\n".join(self._lines())

    def __str__(self) -> str:
        return self.text

    def _needed(self) -> list[int]:
        """The positions to be computed, in order."""
        program, needed = self.program, set(self.outputs)
        computed = []
        for i in range(len(program) - 1, -1, -1):
            if i in needed and program.ops[i] not in SOURCES:
                computed.append(i)
                needed.update(program.operands[i])
        return computed[::-1]

    def _where_zeros_have_signs(self) -> set[int]:
        """The positions at which -0.0 would give another result than 0.0."""
        signed = set(self.outputs)
        for i in reversed(self._computed):
            name = self.program.ops[i].name
            if name not in _BLIND and (name not in _PASSING or i in signed):
                signed.update(self.program.operands[i])
        return signed

    def _lines(self) -> Iterator[str]:
        names = self.names
        forward: tuple[list[str], list[str]] = ([], [])  # for all examples, for each example
        for i in self._computed:
            forward[self.lane[i]].extend(self._statements(i))
        yield "def compute(parameters, rows):"
        if self.leaves:
            yield f"    {', '.join([names[i] for i in self.leaves])}, = parameters"
        yield from ("    " + line for line in forward[False])
        inputs = [names[i] for i in range(self.program.inputs)]
        loop = f"    for {', '.join(inputs) + ',' if inputs else '()'} in rows:"
        append = f"        results.append(({''.join(self.texts[i] + ', ' for i in self.outputs)}))"
        if self.with_results:
            yield "    results = []"
        if self.of is None:
            yield loop
            yield from ("        " + line for line in forward[True])
            yield append
            yield "    return results"
            return
        output = self.program.outputs[self.of]
        reverse = Reverse(self, output)
        if self.lane[output]:
            yield "    share = 1.0 / len(rows)"
            yield from (f"    {name} = {text}" for text, name in reverse.shares.items())
            sums = [i for i in (*self.leaves, *self._computed) if i in reverse.sums]
            yield f"    {''.join(f'd_{names[i]} = ' for i in sums)}total = 0.0"
        if self.lane[output] or self.with_results:
            yield loop
            yield from ("        " + line for line in forward[True])
        if self.with_results:
            yield append
        if self.lane[output]:
            yield f"        total += {self.texts[output]}"
            yield from ("        " + line for line in reverse.lines[True])
        yield from ("    " + line for line in reverse.lines[False])
        total = "share * total" if self.lane[output] else self.texts[output]
        yield f"    return {total}, [{', '.join(reverse.gradients)}]{', results' if self.with_results else ''}"

    # --- statements of the forward sweep

    def _statements(self, i: int) -> Iterator[str]:
        """The statements that compute one position; none if its expression moves into the one that uses it."""
        op, operands, name = self.program.ops[i], self.program.operands[i], self.names[i]
        wanted = tuple(k for k in range(len(op.operands)) if any(self.moves[j] for j in _part(op, operands, k)))
        rule = pattern(op, self.style, wanted)
        size = float(len(operands) // len(op.operands))
        words = {"z": name, "x": "_x", "n": repr(size), **{word: f"{name}_{word}" for word in rule.temporaries}}
        if op.name in _WRITTEN_OUT:
            *first, value = self._written_out(i)
            yield from first
        else:
            yield from self._name_operands(i, rule, words)
            yield from (line % words for line in rule.before)
            first, value = [], f"{name} = {rule.value % words}"
        if not first and self._moves_in(i, rule, value):
            self.texts[i], self.bindings[i] = bound(value.removeprefix(f"{name} = "), op)
        else:
            yield value
        yield from (line % words for line in rule.after)
        self.partials[i] = [
            (j, self._partial(i, k, n, rule.partials[k], words))
            for k in wanted for n, j in enumerate(_part(op, operands, k)) if self.moves[j]
        ]  # fmt: skip

    def _name_operands(self, i: int, rule: Pattern, words: dict[str, str]) -> Iterator[str]:
        """Enter the operands' texts among the words; a list that is read more than once gets a variable."""
        op, operands = self.program.ops[i], self.program.operands[i]
        for k, word in enumerate(op.operands):
            if not op.variadic:
                words[word] = self._inside(operands[k], rule.once.get(word, ATOM))
                continue
            texts = [self.texts[j] for j in _part(op, operands, k)]
            words[word] = f"[{', '.join(texts)}]"
            if rule.mentions[word] > 1:
                yield f"{self.names[i]}_{word} = {words[word]}"
                words[word] = f"{self.names[i]}_{word}"

    def _inside(self, j: int, wanted: int) -> str:
        """The text of j in a place where it has to bind so tightly."""
        text = self.texts[j]
        return f"({text})" if self.bindings[j] < wanted or (text[0] == "-" and wanted > SUM) else text

    def _written_out(self, i: int) -> Iterator[str]:
        """A sum, mean or dot as statements: it begins with 0.0, as a sum does, where -0.0 would be another result."""
        op, operands, name = self.program.ops[i], self.program.operands[i], self.names[i]
        size = len(operands) // len(op.operands)
        start = ["0.0"] if i in self._signed else []
        if op.name == "dot":
            pairs = zip(operands[:size], operands[size:], strict=True)
            terms = start + [f"{self._inside(a, PRODUCT)} * {self._inside(b, ATOM)}" for a, b in pairs]
        else:
            terms = start + [self._inside(j, PRODUCT if n or start else SUM) for n, j in enumerate(operands)]
        *sums, last = [" + ".join(terms[k : k + _TERMS]) for k in range(0, len(terms), _TERMS)]
        yield from (f"{name} {'+=' if k else '='} {text}" for k, text in enumerate(sums))
        last = f"{name} + {last}" if sums else last
        yield f"{name} = {last}" if op.name != "mean" else f"{name} = ({last}) / {float(size)}"

    def _partial(self, i: int, k: int, n: int, text: str, words: dict[str, str]) -> str:
        """The partial of the n-th operand of those that the k-th name of the rule stands for, as source."""
        op, operands, word = self.program.ops[i], self.program.operands[i], text[2:-2]
        if not op.variadic:  # perhaps another operand as it stands
            return self.texts[operands[op.operands.index(word)]] if word in op.operands else text % words
        if word in words and word not in "xyzn":  # a list of all partials
            return f"{words[word]}[{n}]"
        size = len(operands) // len(op.operands)
        one = {name: self.texts[operands[side * size + n]] for side, name in enumerate("xy"[: len(op.operands)])}
        return text % (words | one)

    def _moves_in(self, i: int, rule: Pattern, value: str) -> bool:
        """Whether the expression at i is written where it is used: once, it is short, and nothing else needs it."""
        if self._uses[i] != 1 or rule.needs_result or len(value) > _LONG:
            return False
        if i not in self._user:  # it is an output
            return True
        user, place = self._user[i]
        op, operands = self.program.ops[user], self.program.operands[user]
        if self.lane[user] != self.lane[i]:
            return False
        if op.name == "dot":
            return not self.moves[operands[place - len(operands) // 2]]
        if op.variadic:
            return op.name in _WRITTEN_OUT
        wanted = tuple(k for k, j in enumerate(operands) if self.moves[j])
        return op.operands[place] in pattern(op, self.style, wanted).once


def _part(op: Op, operands: Sequence[int], k: int) -> Sequence[int]:
    """The operands that the k-th name of the rule stands for."""
    if not op.variadic:
        return operands[k : k + 1]
    size = len(operands) // len(op.operands)
    return operands[k * size : (k + 1) * size]


def _names(program: Scalars) -> list[str]:
    """A variable for each position: short labels as far as Python allows, each once; else w, x or v and a number."""
    taken = {"parameters", "rows", "results", "total", "compute", "inf", "nan", "len", "n"}
    names = []
    for i, (op, operands) in enumerate(zip(program.ops, program.operands, strict=True)):
        plain = f"w{operands[0]}" if op is LEAF else f"x{operands[0]}" if op is INPUT else f"v{i}"
        name = re.sub(r"\W", "_", program.names[i], flags=re.ASCII) if i in program.names else plain
        if (
            len(name) > _SHORT
            or not name[:1].isalpha()
            or keyword.iskeyword(name)
            or _RESERVED.search(name)
            or f"d_{name}" in taken
        ):
            name = plain
        while name in taken:
            name = plain if plain not in taken else f"{name}_"
        taken.add(name)
        names.append(name)
    return names


_RESERVED = re.compile(r"^d_|^share|_t\d+$|_[xy]s$")


NAMESPACES: dict[str, dict[str, Any]] = {
    style: {**{f"_{name}": function for name, function in functions.items()}, "inf": float("inf"), "nan": float("nan")}
    for style, functions in (("fast", FAST), ("ieee", IEEE))
}


def function_of(
    program: Scalars, of: int | None, title: str, with_results: bool = False
) -> Callable[[Sequence[float], Sequence[Any]], Any]:
    """The function that the source defines; where that raises, or gives nan or inf, its `ieee` spelling answers."""
    fast = _define(Source(program, of, "fast", with_results).text, f"{title}", "fast")
    careful: list[Callable[..., Any]] = []

    def compute(parameters: Sequence[float], rows: Sequence[Any]) -> Any:
        try:
            result = fast(parameters, rows)
            if of is None or sum(result[1], result[0]) * 0.0 == 0.0:  # all are finite
                return result
        except (ArithmeticError, ValueError):
            pass
        if not careful:
            careful.append(_define(Source(program, of, "ieee", with_results).text, f"{title}, IEEE", "ieee"))
        return careful[0](parameters, rows)

    return compute


def _define(text: str, title: str, style: str) -> Callable[..., Any]:
    import linecache

    file = f"<glassgrad {title}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    made: dict[str, Callable[..., Any]] = {}
    exec(compile(text, file, "exec"), NAMESPACES[style], made)
    return made["compute"]
