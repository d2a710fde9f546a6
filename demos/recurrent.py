"""A gated recurrent network learns how names of chemical elements are spelled, one letter after the other.

The task, the held-out names and the baseline of `letters.py`, which this demo stands on: what the Transformer does by
looking back, the recurrent network does by remembering: on four of five splits a little better.

    python demos/recurrent.py [--epochs 40] [--seed 0] [--output recurrent.svg]
"""

from __future__ import annotations

from functools import partial
from random import Random
from typing import Any

from letters import story

import nn

WIDTH, HIDDEN = 8, 24


def recurrent_net(symbols: int, seed: int) -> nn.Sequential:
    """Numbers of symbols in, scores of the next symbol out, at each place."""
    options: dict[str, Any] = {"generator": Random(seed)}
    spread = partial(nn.initializers.normal, deviation=0.3)
    return nn.Sequential([
        nn.TimeDistributed(nn.Embedding(symbols, WIDTH, initializer=spread, **options)),
        nn.Recurrent(nn.GRUCell(WIDTH, HIDDEN, **options), return_sequences=True),
        nn.Dropout(0.2),
        nn.TimeDistributed(nn.Dense(HIDDEN, symbols, **options)),
    ])  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Run the demo; 0 if the network is below the bigram on held-out names, and made up new ones."""
    return story("recurrent net", recurrent_net, 0.01, "recurrent.svg", arguments)


if __name__ == "__main__":
    raise SystemExit(main())
