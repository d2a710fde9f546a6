"""The prompt: every command says what is true and survives whatever is typed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prompts import Prompt, network

from engine import Value, functions, record_source
from engine.testing import FUNCTIONS, Program, graphs
from viz.debugger import AT_END, AT_START, HELP

quickly = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)

# what is typed, and what has to be in the answer to the last command
ANSWERS: dict[str, tuple[list[str], list[str]]] = {
    "a step": (["s"], ["step 1/", "forward"]),
    "steps": (["step 3"], ["step 3/"]),
    "too many steps": (["s 99999999"], ["step 47/47"]),
    "back at the start": (["rs"], [AT_START]),
    "next at the end": (["end", "n"], [AT_END]),
    "continue at the end": (["end", "c"], [AT_END]),
    "back": (["s 5", "rs 2"], ["undone: 2 steps", "step 3/"]),
    "a node": (["j 24", "n 4"], ["step 29/47", "-> layers.1.neurons.0.bias"]),
    "an empty line repeats": (["s", "s", ""], ["step 3/"]),
    "a comment does not": (["s", "# nothing", ""], ["step 2/"]),
    "nor does one without a blank": (["s", "  #nothing", "#", ""], ["step 2/"]),
    "jump": (["j 30"], ["step 30/47"]),
    "jump to where one is": (["j 0"], ["step 0/47"]),
    "end": (["end"], ["step 47/47"]),
    "start": (["end", "start"], ["undone: 47 steps", "step 0/47"]),
    "until": (["until x"], ["-> x", "(2 of 2; final)"]),
    "until what is final": (["end", "until x"], ["x has its final gradient already"]),
    "until the end of a name": (["until neurons.1.bias"], ["-> layers.0.neurons.1.bias", "(final)"]),
    "run to the end": (["c"], [AT_END, "step 47/47"]),
    "run to a breakpoint": (["b op:tanh", "c"], ["breakpoint 1 at op:tanh: #", "once so far", "tanh("]),
    "stops": (["b x", "tbreak loss", "watch y", "disable 1", "ignore 2 3", "b"],
              ["breakpoint 1 at x, disabled", "breakpoint 2 at loss, goes after one stop, ignores the next 3",
               "watchpoint 3 of y"]),
    "enable": (["b x", "disable 1", "enable 1", "b"], ["breakpoint 1 at x\n"]),
    "ignore": (["b op:tanh", "ignore 1 2", "c"], ["3 times so far"]),
    "condition": (["b op:tanh", "condition 1 data > 0.9", "b"], ["breakpoint 1 at op:tanh, data > 0.9"]),
    "a condition that goes": (["b op:tanh, data > 9", "condition 1", "b"], ["breakpoint 1 at op:tanh\n"]),
    "clear": (["b x", "b y", "clear 1 2"], ["cleared breakpoint 1 at x", "cleared breakpoint 2 at y"]),
    "clear the same twice": (["b x", "b y", "clear 1 1 2", "b"], ["there are no stops"]),
    "clear all": (["b x", "watch y", "cl all", "b"], ["there are no stops; use: b NODE"]),
    "info b": (["watch y", "info b"], ["there are no breakpoints; use: b NODE"]),
    "info w": (["b y", "info w"], ["there are no watchpoints; use: watch NODE"]),
    "info": (["j 30", "info"], ["step 30 of 47: 24 forward, 23 backward", "gradients are final", "in layers."]),
    "info grads": (["end", "i grads"], ["layers.0.neurons.1.weight.1", "(final)"]),
    "watch": (["watch x", "c"], ["watchpoint 1 of x, once so far", "-> x", "(1 of 2; more to come)"]),
    "watch backwards": (["end", "watch x", "rc"], ["watchpoint 1 of x", "undone: "]),
    "return": (["until layers.1.neurons.0.bias", "return"], ["layers.1.neurons.0 is done"]),
    "return to the layer": (["until layers.0.neurons.1.bias", "r", "r"], ["layers.0 is done", "step 47/47"]),
    "return in the forward sweep": (["s", "r"], ["is done", "forward"]),
    "return outside": (["j 24", "n", "r"], ["*** loss belongs to no neuron or layer"]),
    "where": (["until neurons.1.weight.0", "w"], ["  loss = ", "\n> #", "prompts.py:"]),
    "up and down": (["end", "u 2", "d"], ["> "]),
    "up at the loss": (["end", "u 99", "u"], ["this is the loss: nothing is above it", "> loss = "]),
    "down here": (["end", "d"], ["this is the node at work"]),
    "list": (["end", "l"], [" ->  "]),
    "list a line": (["end", "l 3"], ["   1    \"\"\"A prompt"]),
    "list on": (["end", "l 3", "l"], ["   9\n", "def network() -> Value:"]),
    "ll": (["end", "ll"], ["def network() -> Value:", "    return loss"]),
    "p": (["end", "p x"], ["x = 0.5, grad ", "(final)"]),
    "p of what is to come": (["p loss"], ["not computed yet"]),
    "p of a leaf to come": (["p y"], ["y, not computed yet"]),
    "p of a field": (["j 5", "p op"], ["leaf"]),
    "p of an expression": (["end", "p x.data * 4 == 2"], ["True"]),
    "p of a constant": (["end", "p #23"], ["a constant without a gradient"]),
    "p of what arrives": (["j 40", "p x"], ["contributions)"]),
    "display": (["display x.grad", "end"], ["display x.grad: ", "[was 0.0]"]),
    "display of what is not there yet": (["display amount"], ["display amount: (amount belongs to a contribution"]),
    "display of what is not there any more": (["end", "display amount", "display step", "start"],
                                              ["display amount: (amount belongs", "display step: 0  [was 47]"]),
    "displays": (["display x.grad", "display"], ["display x.grad: 0.0"]),
    "nothing displayed": (["display x.grad", "undisplay x.grad", "display"], ["nothing is displayed"]),
    "undisplay all": (["display x.grad", "undisplay", "display"], ["nothing is displayed"]),
    "why": (["why x"], ["dloss/dx = ", "(to come)"]),
    "why of the loss": (["why loss"], ["dloss/dloss = 1: it is where the backward sweep starts"]),
    "paths": (["paths x"], ["all 2 paths that matter", "loss -> "]),
    "one of the paths": (["paths x 1"], ["the largest path; all others together have"]),
    "the only path": (["paths layers.1.neurons.0.bias"], ["the only path that matters"]),
    "paths from here": (["end", "u", "paths 3"], ["dloss/d#"]),
    "check": (["check x"], ["gradient check passed", "x: ok"]),
    "steps as a table": (["j 26", "steps"], ["step  node", "upstream x partial"]),
    "help": (["h"], [HELP]),
    "help of a command": (["help until"], ["unt(il) NODE: on until"]),
    "help of an abbreviation": (["h b"], ["b(reak) NODE"]),
}  # fmt: skip


@pytest.mark.parametrize("case", ANSWERS)
def test_answers(case: str) -> None:
    commands, expected = ANSWERS[case]
    answer = Prompt(network()).type(*commands)
    for text in expected:
        assert text in answer
    assert answer.startswith("***") == any(text.startswith("***") for text in expected)


def test_a_display_is_shown_again_when_it_changes() -> None:
    prompt = Prompt(network())
    prompt.type("end", "display x.grad", "display y.data < 0")
    answer = prompt.type("j 24")
    assert "display x.grad: 0.0" in answer
    assert "y.data" not in answer


MISTAKES = {
    "frob": "*** there is no command 'frob'; h lists the commands",
    "stpe": "did you mean step",
    "x": "*** x is a node, not a command; use: p x",
    "#3": "*** #3 is a node, not a command; use: p #3",
    "s x": "*** step takes a number of times, at least 1; got 'x'; as in: step 3",
    "n 0": "*** next takes a number of times",
    "rs -1": "*** rs takes a number of times",
    "s " + "9" * 5000: "*** step takes a number of times",
    "until": "*** until needs a node, as in: until a",
    "until frob": "*** no node is called 'frob'",
    "until #23": "*** #23 is a constant",
    "watch": "*** watch needs a node",
    "jump": "*** jump needs a step from 0 to 47; got ''",
    "jump 48": "*** jump needs a step from 0 to 47; got '48'",
    "jump ²": "*** jump needs a step",
    "b x, frob > 1": "*** no node is called 'frob'",
    "b op:frob": "*** no such operation: op:frob",
    "b x, data >": "*** ",
    "b x, ().__class__": "*** ",
    "tbreak": "*** a breakpoint needs a place",
    "clear": "*** clear takes the number of a stop",
    "clear 7": "*** there is no stop '7'",
    "clear x": "*** there is no stop 'x'",
    "ignore 1": "*** ignore takes a stop and a count",
    "condition": "*** condition takes the number of a stop",
    "p": "*** p needs something to print",
    "p partial": "*** partial belongs to a contribution",
    "p frob": "*** no node is called 'frob'",
    "p __import__('os').system('true')": "*** ",
    "display frob": "*** no node is called 'frob'",
    "until " + "x" * 9000: "*** no node is called 'xxx",
    "undisplay " + "x" * 9000: "*** 'xxx",
    "graph " + "x" * 9000: "*** ",
    "undisplay x": "*** 'x' is not displayed",
    "info frob": "*** info knows b, w and grads; got 'frob'",
    "why #23": "*** #23 is a constant: it has no gradient",
    "why weight.0": "*** 3 nodes are called 'weight.0': #",
    "check #23": "*** #23 is a constant: it has no gradient to check",
    "graph picture.bmp": "*** a diagram is saved as one of",
    "graph nowhere/picture.svg": "*** no such folder",
    "help frob": "*** there is no command 'frob'",
    "return": "*** loss belongs to no neuron or layer",
    "\N{RIGHT-TO-LEFT OVERRIDE}": "*** there is no command '\\\\u202e'",
}


@pytest.mark.parametrize("typed", MISTAKES)
def test_mistakes_are_answered_in_one_line(typed: str) -> None:
    prompt = Prompt(network())
    answer = prompt.type(typed)
    assert MISTAKES[typed] in answer
    assert answer.count("\n") == 1
    assert len(answer) < 400
    assert prompt.cursor.position == 0
    assert not prompt.stops.all


def test_no_source_is_said() -> None:
    prompt = Prompt(Value(1.0) * 2)
    for command in ("l", "ll"):
        assert "*** no source line is known for #3; build the graph under engine.record_source()" in prompt.type(
            command
        )


def test_a_source_that_is_gone(tmp_path: Path) -> None:
    with record_source():
        file = str(tmp_path / "gone.py")
        names: dict[str, Value] = {}
        exec(compile("a = Value(1.0)\nb = a * 2", file, "exec"), {"Value": Value}, names)
    assert "gone.py:2, which cannot be read" in Prompt(names["b"]).type("l")
    (tmp_path / "gone.py").write_text("a = Value(1.0)\nb = a * 2  # (")
    prompt = Prompt(names["b"])
    assert "-> b = a * 2" in prompt.type("ll"), "the whole file, where no function is around"
    assert "has 2 lines; `list 2` shows the node's again" in prompt.type("l", "l")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("viz.explanation.ast.parse", lambda text: compile(text + "(", "", "exec"))
        assert "-> b = a * 2" in prompt.type("ll")


@quickly
@given(
    graphs(max_ops=10),
    st.lists(
        st.sampled_from(
            ["s", "s 3", "n", "n 2", "rs", "rs 4", "rn", "c", "rc", "end", "start", "r", "j 3", "until n1", "until #2",
             "b n2", "b op:mul", "b n0, grad > 0", "tbreak n1, amount < 0", "watch n0", "watch #1", "clear 1",
             "disable 2", "ignore 1 2", "display n1.grad", "w", "u", "d", "why n1", "paths #1 2", "info", "info grads",
             "p n0", "p abs(grad - upstream)", "l", "", "steps", "condition 1 partial == 1"]
        ),
        max_size=12,
    ),
)  # fmt: skip
def test_whatever_is_typed_the_state_is_true(program: Program, commands: list[str]) -> None:
    root = program.run(FUNCTIONS, [Value(x) for x in program.leaves])[-1]
    if root.is_constant:
        return
    prompt = Prompt(root)
    trace = prompt.cursor.trace
    for k, node in enumerate(trace.nodes):
        node.label, node.grad = f"n{k}", 7.0
    prompt = Prompt(root)
    for command in commands:
        prompt.type(command)
        cursor = prompt.cursor
        assert list(map(repr, cursor.state.values())) == list(map(repr, trace.state(cursor.position).values()))
    assert all(node.grad == 7.0 for node in trace.nodes), "no gradient of the engine is touched"


def test_long_routes_and_sums_are_cut() -> None:
    a = Value(0.5, label="a")
    chain = a
    for _ in range(200):
        chain = chain * 1.001
    prompt = Prompt(functions.sum([chain * a for _ in range(50)]))
    answer = prompt.type("end", "until a", "w")
    assert answer.count("\n") <= 12
    assert "more ..." in answer
    assert "the sum of 51 contributions" in prompt.type("why a")
    assert "... the 20 largest of 51 contributions" in prompt.type("why a")
    assert "more) -> " in prompt.type("paths a 60")
    labelled = functions.sum([Value(float(k), label=f"w{k}") for k in range(30)])
    assert "... 10 more variables" in Prompt(labelled).type("info grads")


def test_paths_of_zeros_and_nan() -> None:
    a = Value(-1.0, label="a")
    assert "no path from the loss has a product other than zero" in Prompt(a.relu() * 2).type("paths a")
    answer = Prompt(a.sqrt() + a + a.square()).type("paths a 1")
    assert "the share of the other paths cannot be told: there are nan or inf" in answer


def test_labels_that_are_called_like_fields() -> None:
    prompt = Prompt(Value(2.0, label="grad") * Value(3.0, label="upstream"))
    prompt.type("end")
    assert prompt.type("p grad") == "1.0\n", "the field of the node at work"
    assert prompt.type('p node("grad")') == "grad = 2, grad 3 (final)\n"
    assert prompt.type('p node("upstream").grad') == "2.0\n"
    assert "(2 places)" in prompt.type('b #3, node("upstream").data > 1'), "it is about no contribution"


def test_no_end_of_paths() -> None:
    x = Value(0.5, label="x")
    for _ in range(64):
        x = x * 0.5 + x * 0.25
    answer = Prompt(x).type("paths x 999999999999999999")
    assert "dL/dx: the largest" in answer, "and not all 2**64"


@pytest.mark.parametrize("label", ["a\nb", "\x1b[31mred", "\N{RIGHT-TO-LEFT OVERRIDE}x", "nul\0", "\ud800", "x" * 9000])
def test_hostile_labels_are_shown_as_text(label: str) -> None:
    prompt = Prompt(Value(2.0, label=label) * Value(3.0))
    prompt.type("end")
    for typed in (
        f"until {label}", f"until {label}x", "until y", f"why {label}", f"watch {label}", "p #1", "p #1.label",
        "display #1.label", "display", "check #1", "info grads", "paths #1", "w", "steps", "b #1", "b", "rc",
    ):  # fmt: skip
        answer = prompt.type(typed)
        assert answer.replace("\n", "").isprintable()
        assert len(answer) < 1500
        assert answer.count("\n") == 1 or not answer.startswith("***")
    assert prompt.completedefault("", "until ", 6, 6) == [label] * label.isprintable()


def test_completion() -> None:
    prompt = Prompt(network())
    assert prompt.completedefault("layers.1", "until layers.1", 6, 14) == [
        "layers.1.neurons.0.weight.0", "layers.1.neurons.0.weight.1", "layers.1.neurons.0.bias",
    ]  # fmt: skip
    assert "until" in prompt.completenames("unt")
