"""The picture in the README.

python demos/tour.py
"""

from __future__ import annotations

from pathlib import Path

import viz
from engine import Value


def main() -> None:
    """Write `tour.svg` beside this file."""
    a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    loss = (a * b + 10).tanh()
    loss.label = "loss"
    loss.backward()
    print(viz.draw(loss).save(Path(__file__).parent / "tour.svg"))


if __name__ == "__main__":
    main()
