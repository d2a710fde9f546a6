"""XOR, solved in scalars: the whole way of a network, every number in sight.

A 2-3-1 network of sigmoid neurons, half squared error, full-batch gradient descent. Then one example's backward pass
node by node, every gradient against finite differences, and a picture.

    python demos/xor.py [--steps 10000] [--seed 0] [--output xor.svg]
    python demos/xor.py --seeds 20 [--steps 10000]

The second trains from 20 first weights, compiled, and says which solve XOR. One that does not has come to a plateau,
where pairs of answers are alike and slopes small: it is given more steps, which help most of them; the others need
other first weights.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tqdm import trange

import nn
import viz
from engine import Value, compile, functions, no_grad
from engine.formulas import partial_formulas, value_formula
from engine.graph import topological_order
from engine.ops import CONSTANT

EXAMPLES = [((0.0, 0.0), 0.0), ((0.0, 1.0), 1.0), ((1.0, 0.0), 1.0), ((1.0, 1.0), 0.0)]
LEARNING_RATE = 0.1
PATIENCE = 5
"""How many times the steps a seed is given that does not solve it at once."""


def half_squared_error(model: nn.MLP) -> Value:
    """J = 1/2 sum (a - y)^2 over the four examples."""
    return functions.sum([(model(list(x))[0] - y) ** 2 for x, y in EXAMPLES]) * 0.5


def train(model: nn.MLP, steps: int) -> list[float]:
    """Gradient descent; returns the loss at each step."""
    optimizer = nn.SGD(LEARNING_RATE)
    parameters = model.parameters()
    losses = []
    progress = trange(steps, desc="training", unit="step", mininterval=0.2, disable=None)
    for step in progress:
        loss = half_squared_error(model)
        model.zero_grad()
        loss.backward()
        optimizer.step(parameters)
        losses.append(loss.data)
        if step % 200 == 0:
            progress.set_postfix(loss=f"{loss.data:.5f}", refresh=False)
    return losses


def show_losses(losses: list[float]) -> None:
    """The loss at ten moments, as numbers and bars."""
    print("\nThe loss falls:")
    for i in range(11):
        step = round(i * (len(losses) - 1) / 10)
        print(f"  step {step:6d}   {losses[step]:.6f}  {'#' * round(40 * losses[step] / losses[0])}")


def show_truth_table(model: nn.MLP) -> bool:
    """What the network answers; whether it is right everywhere."""
    print("\nThe truth table:\n  x1  x2  wanted   answer   rounded")
    solved = True
    for (x1, x2), wanted in EXAMPLES:
        with no_grad():
            answer = model([x1, x2])[0].data
        right = round(answer) == wanted
        solved &= right
        print(
            f"  {x1:.0f}   {x2:.0f}   {wanted:.0f}        {answer:.4f}   {round(answer)}  {'ok' if right else 'WRONG'}"
        )
    print("XOR is solved." if solved else "XOR is not solved: try more steps, or another seed.")
    return solved


def name_parameters(model: nn.MLP) -> None:
    """Names as on paper: hidden neurons h1, h2, h3, output neuron o; w their weights, b their bias."""
    hidden, output = model.layers
    named = [*((f"h{i}", neuron) for i, neuron in enumerate(hidden.neurons, 1)), ("o", output.neurons[0])]
    for name, neuron in named:
        for i, weight in enumerate(neuron.weight, 1):
            weight.label = f"{name}.w{i}"
        if neuron.bias is not None:
            neuron.bias.label = f"{name}.b"


def name_nodes(loss: Value) -> list[Value]:
    """Name what is computed after the neuron it belongs to: s the weighted sum, z with the bias, a its sigmoid."""
    order = topological_order(loss)
    kinds = {"dot": "s", "add": "z", "sigmoid": "a"}
    for node in order:
        if node.op.name in kinds:
            neuron, _, _ = (node.parents[0].label or "").partition(".")
            node.label = f"{neuron}.{kinds[node.op.name]}"
    square = loss.parents[1]
    square.parents[0].label, square.label, loss.label = "error", "square", "J"
    return order


def show_backward_pass(model: nn.MLP) -> Value:
    """One example, backwards, node by node: upstream gradient times partial, as formula and as number."""
    (x, y) = EXAMPLES[1]
    loss: Value = 0.5 * (model([Value(x[0], label="x1"), Value(x[1], label="x2")])[0] - y) ** 2
    order = name_nodes(loss)
    model.zero_grad()
    loss.backward()
    print(f"\nThe backward pass of one example, x = {x}, y = {y:.0f}:")
    for node in reversed(order):
        if not node.parents:
            continue
        print(f"\n  {node.label} = {value_formula(node)} = {node.data:.6f}     dJ/d({node.label}) = {node.grad:+.6f}")
        rows = zip(node.parents, partial_formulas(node, node.label or ""), node.partials, strict=True)
        for parent, rule, slope in rows:
            if parent.op is not CONSTANT:
                change = f"{node.grad:+.6f} x {slope:+.6f} = {node.grad * slope:+.6f}"
                print(f"    to {parent.label:7s} {change}     d({node.label})/d({parent.label}) = {rule}")
    return loss


def check_gradients(model: nn.MLP, step: float = 1e-5) -> bool:
    """Every parameter's gradient beside a central finite difference (J(w + h) - J(w - h)) / 2h."""
    model.zero_grad()
    half_squared_error(model).backward()
    print(f"\nEvery gradient of the full-batch loss, beside a central finite difference (h = {step:g}):")
    print(f"  {'parameter':10s} {'backprop':>14s} {'difference':>14s} {'apart by':>10s}")
    worst = 0.0
    for parameter in model.parameters():
        start = parameter.data
        with no_grad():
            parameter.data = start + step
            above = half_squared_error(model).data
            parameter.data = start - step
            below = half_squared_error(model).data
        parameter.data = start
        difference = (above - below) / (2 * step)
        apart = abs(parameter.grad - difference)
        worst = max(worst, apart / max(1e-6, abs(difference)))
        print(f"  {parameter.label or '':10s} {parameter.grad:+14.10f} {difference:+14.10f} {apart:10.1e}")
    agree = worst < 1e-4
    print("All gradients agree." if agree else "A gradient disagrees.")
    return agree


def first_network(seed: int) -> nn.MLP:
    """2-3-1, with weights as the texts on XOR draw them."""
    standard_normal = partial(nn.initializers.normal, deviation=1.0)
    return nn.MLP(2, [3, 1], "sigmoid", "sigmoid", initializer=standard_normal, seed=seed)


def show_seeds(count: int, steps: int) -> bool:
    """Train from so many first weights; whether all solve XOR, some perhaps later."""
    print(f"2-3-1, standard normal weights, learning rate {LEARNING_RATE}, {steps} full-batch steps\n")
    print("  seed   loss       answers to 00, 01, 10, 11")
    taken = {}
    for seed in trange(count, desc="seeds", leave=False, disable=None):
        for passed, answers in zip(range(1, PATIENCE + 1), training(first_network(seed), steps), strict=False):
            loss = 0.5 * sum((a - y) ** 2 for a, (_, y) in zip(answers, EXAMPLES, strict=True))
            solved = all(round(a) == y for a, (_, y) in zip(answers, EXAMPLES, strict=True))
            told = "" if solved else "NOT solved: on a plateau, more steps"
            if passed > 1:
                told = f"after {passed * steps} steps: {'solved' if solved else 'not yet'}"
            print(f"  {seed:4d}   {loss:.6f}   {'  '.join(f'{a:.3f}' for a in answers)}   {told}")
            if solved:
                taken[seed] = passed
                break
    at_once = list(taken.values()).count(1)
    print(f"\n{at_once} of {count} seeds solve XOR in {steps} steps, {len(taken)} in {PATIENCE} times as many.")
    return len(taken) == count


def training(model: nn.MLP, steps: int) -> Iterator[list[float]]:
    """The same descent compiled, without end; the answers each time so many steps are done."""
    answer = compile(lambda x: model(x)[0])
    loss = compile(lambda x, y: 0.5 * (model(x)[0] - y) ** 2)
    xs, ys = [list(x) for x, _ in EXAMPLES], [y for _, y in EXAMPLES]
    batch = loss.bind(xs, ys)
    optimizer = nn.SGD(LEARNING_RATE * len(EXAMPLES))  # J is the sum over the examples, this the mean
    batch.value_and_grad()
    numbers = loss.take()
    while True:
        for _ in range(steps):
            optimizer.update(numbers, batch.value_and_grad()[1])
        yield answer(xs)


def main(arguments: list[str] | None = None) -> int:
    """Run the demo; 0 if XOR was solved, every gradient agrees and the picture is written."""
    parser = argparse.ArgumentParser(description="Train a 2-3-1 sigmoid network on XOR, in scalars.")
    parser.add_argument("--steps", type=int, default=10_000, help="full-batch steps (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the first weights (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=Path("xor.svg"), help="the picture (default: %(default)s)")
    parser.add_argument("--seeds", type=int, help="train from so many first weights instead, compiled")
    options = parser.parse_args(arguments)
    if options.output.suffix not in (".svg", ".png", ".pdf", ".dot", ".gv"):
        parser.error(f"--output must end in .svg, .png, .pdf or .dot; got {str(options.output)!r}")
    if options.steps < 1:
        parser.error(f"--steps must be at least 1; got {options.steps}; 10000 solves XOR")

    if options.seeds is not None:
        if options.seeds < 1:
            parser.error(f"--seeds must be at least 1; got {options.seeds}; try 20")
        return 0 if show_seeds(options.seeds, options.steps) else 1
    model = first_network(options.seed)
    print(f"{model}, standard normal weights, seed {options.seed}, learning rate {LEARNING_RATE}")
    name_parameters(model)
    losses = train(model, options.steps)
    show_losses(losses)
    solved = show_truth_table(model)
    loss = show_backward_pass(model)
    agree = check_gradients(model)
    loss.zero_grad()
    loss.backward()
    path = viz.draw(loss).save(options.output)
    print(f"\nThe graph of that example, with its gradients: {path}")
    return 0 if solved and agree else 1


if __name__ == "__main__":
    raise SystemExit(main())
