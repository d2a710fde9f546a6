"""The reverse sweep of a straight-line program: what each statement passes back to its operands, last to first."""

from __future__ import annotations

from engine.compiler.rule_texts import summed, times, written

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.compiler.straight_line import Source

    Slope = tuple[float, str]

_TERMS = 16  # of a sum in one statement: longer ones would end in the parser's limits
_LONG = 100  # letters of a product that moves into the next one


class Reverse:
    """Statements for each example, and for all of them at the end.

    Attributes:
        shares: statements before the loop: products with the example's share that are the same for all.
        lines: statements in the loop and after it, `lines[True]` and `lines[False]`.
        sums: the positions whose gradients the loop adds up.
        gradients: expressions for the parameters' gradients, in their order.
    """

    def __init__(self, source: Source, output: int) -> None:
        self.source = source
        self.shares: dict[str, str] = {}
        self.lines: tuple[list[str], list[str]] = ([], [])
        reached = {output}
        for i in range(output, -1, -1):
            if i in reached:
                reached.update([j for j, _ in source.partials.get(i, ())])
        self.sums = {j for i in reached if source.lane[i] for j, _ in source.partials.get(i, ()) if not source.lane[j]}
        self._begun = set(self.sums)  # those that have a variable
        self._slopes: dict[int, list[Slope]] = {output: [(1.0, "share" if source.lane[output] else "")]}
        for i in range(output, -1, -1):
            if i in source.partials and (i in self._slopes or i in self._begun):
                upstream = self._upstream(i)
                for j, partial in source.partials[i]:
                    self._pass(i, j, times(upstream, partial, source.style == "fast"))
        self.gradients = [self._total(i) for i in source.leaves]

    def _pass(self, i: int, j: int, slope: Slope) -> None:
        """From i to j."""
        name = f"d_{self.source.names[j]}"
        if self.source.lane[i] and not self.source.lane[j]:
            number, text = self._shared(slope)
            self.lines[True].append(f"{name} {'+=' if number > 0 else '-='} {written((abs(number), text))}")
            return
        slopes = self._slopes.setdefault(j, [])
        slopes.append(slope)
        if len(slopes) == _TERMS:
            self._assign(j, slopes)
            del self._slopes[j]

    def _assign(self, j: int, slopes: list[Slope]) -> None:
        lane, name = self.source.lane[j], f"d_{self.source.names[j]}"
        begun = [(1.0, name)] if j in self._begun else []
        self._begun.add(j)
        self.lines[lane].append(f"{name} = {summed(begun + [self._shared(slope) for slope in slopes])}")

    def _upstream(self, i: int) -> Slope:
        """The gradient at i, when all contributions are there: a variable, or a product that is used once."""
        slopes = self._slopes.pop(i, [])
        if i not in self._begun and len(slopes) == 1:
            number, text = slopes[0]
            used_once = len(self.source.partials[i]) == 1 and len(text) < _LONG
            if used_once or not text or (text.isidentifier() and abs(number) == 1.0):
                return slopes[0]
        if slopes:
            self._assign(i, slopes)
        return 1.0, f"d_{self.source.names[i]}"

    def _total(self, leaf: int) -> str:
        name = [(1.0, f"d_{self.source.names[leaf]}")] if leaf in self._begun else []
        return summed(name + self._slopes.get(leaf, [])) or "0.0"

    def _shared(self, slope: Slope) -> Slope:
        """A slope with the example's share: what of it is the same for all examples is computed before the loop."""
        number, text = slope
        factors = text.split(" * ")
        if factors[0] != "share":
            return slope
        size = 1
        while size < len(factors) and factors[size] in self.source.fixed:
            size += 1
        first = written((abs(number), " * ".join(factors[:size])))
        name = "share" if first == "share" else self.shares.setdefault(first, f"share_{len(self.shares) + 1}")
        return number / abs(number), " * ".join([name, *factors[size:]])
