"""A network of two layers, small enough to step through: two hidden neurons, one output, squared error.

    glassgrad step demos/stepping.py:loss

opens a prompt on it; `demos/stepping.txt` is such a session. Run as a script, it prints the steps as a table.
"""

from __future__ import annotations

from engine import Trace, Value, functions, record_source
from viz import steps


def neuron(name: str, weights: list[float], bias: float, inputs: list[Value]) -> Value:
    """tanh(w . x + b), with parameters named after the neuron."""
    weight = [Value(w, label=f"{name}.weight.{i}") for i, w in enumerate(weights)]
    total = functions.dot(weight, inputs) + Value(bias, label=f"{name}.bias")
    return total.tanh()


def loss() -> Value:
    """(prediction - 1)^2 for the inputs 0.5 and -1."""
    x = [Value(0.5, label="x.0"), Value(-1.0, label="x.1")]
    h = [
        neuron("hidden.0", [0.6, -0.4], 0.1, x),
        neuron("hidden.1", [-0.3, 0.8], 0.0, x),
    ]
    prediction = neuron("output.0", [0.9, -0.5], 0.2, h)
    prediction.label = "prediction"
    error = prediction - 1.0
    error.label = "error"
    squared = error**2
    squared.label = "loss"
    return squared


if __name__ == "__main__":
    with record_source():
        print(steps(Trace(loss())))
