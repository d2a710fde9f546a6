"""What recording a trace costs, beside one backward(); a step, by the size of the graph; the largest of 10**30 paths.

python tests/benchmarks/bench_stepping.py
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable

from engine import Trace, Value, constant, functions
from viz.cards import Cards
from viz.cursor import Cursor


def chain(operations: int) -> Value:
    x = y = Value(0.5)
    for _ in range(operations // 2):
        y = (y * x).tanh()
    return y


def ladder(layers: int = 30, width: int = 10) -> tuple[Value, Value]:
    """Fully connected layers of dots: width**layers paths."""
    chance, x = random.Random(0), Value(1.0)
    layer = [x * 1.0 for _ in range(width)]
    for _ in range(layers):
        layer = [functions.dot([constant(chance.uniform(-1, 1)) for _ in layer], layer) for _ in layer]
    return x, functions.sum(layer)


def seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    kept = work()
    taken = time.process_time() - start
    del kept
    return taken


def main(rounds: int = 9) -> None:
    """Print the medians, and the median of the ratios round by round."""
    loss = chain(100_000)
    pairs = [(seconds(loss.backward), seconds(lambda: Trace(loss))) for _ in range(rounds)]
    backward, record = (statistics.median(pair[k] for pair in pairs) * 1e3 for k in (0, 1))
    ratio = statistics.median(trace / back for back, trace in pairs)
    print(f"100,000 nodes: backward {backward:.0f} ms, recording a trace {record:.0f} ms, {ratio:.1f} times")
    for operations in (1_000, 10_000, 100_000):
        cursor = Cursor(Trace(chain(operations)))
        cursor.go(cursor.trace.turn)
        cards = Cards(cursor.trace)

        def there_and_back(cursor: Cursor = cursor, cards: Cards = cards) -> None:
            for change in [1] * 500 + [-1] * 500:
                cursor.go(cursor.position + change)
                cards.at(cursor.position)

        there_and_back()  # counting contributions, once for each trace
        step = min(seconds(there_and_back) for _ in range(rounds)) * 1e3
        print(f"{operations:,} nodes: a step with its card, either way, {step:.0f} us")
    x, output = ladder()
    trace = Trace(output)
    times = [seconds(lambda: trace.paths(x, 20)) for _ in range(rounds)]
    print(f"the 20 largest of 10**30 paths: {statistics.median(times) * 1e3:.0f} ms")


if __name__ == "__main__":
    main()
