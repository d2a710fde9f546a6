"""The command line: on expressions and files, with errors that point, and exit codes for scripts."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
import session

import viz.cli
from viz.cli import main

MODEL = """\
from engine import Value
import beside

a, b = Value(2.0), Value(-3.0, label="given")
loss = (a * b + beside.OFFSET).tanh()
number = 3.0
listed = [loss]
w = [Value(0.5, label=f"layers.0.neurons.{k}.weight.0") for k in range(2)]
trained = ((w[0] * 3).tanh() + (w[1] * 3).tanh()).square()

def computed():
    return Value(1.5, label="w").sin()

def broken():
    return 1 / 0

def leaves():
    raise SystemExit(3)

def interrupted():
    raise KeyboardInterrupt

def wrong():
    from engine import OPS
    from engine.operators import node_of
    x = Value(2.0, label="x")
    return node_of(OPS["square"], (x,), 4.0, (4.5,))

import nn

network = nn.MLP(2, [2, 1])

if __name__ == "__main__":
    raise SystemExit("this must not run")
"""


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "beside.py").write_text("OFFSET = 10\n")
    (tmp_path / "model.py").write_text(MODEL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path / "model.py"


# arguments, exit code, and what has to be printed
RUNS: dict[str, tuple[list[str], int, str]] = {
    "tree": (["tree", "tanh(w*x + b)", "w=0.5", "x=2", "b=-1"], 0, "#6 = tanh(#5)"),
    "gradients": (["tree", "w * x", "w=3", "x=2"], 0, "w                  3            2            2"),
    "shared": (["tree", "h = w * x; tanh(h) + h", "w=1", "x=2", "--ascii"], 0, "h #3 = w * x"),
    "depth": (["tree", "--depth", "0", "w * x", "w=3", "x=2"], 0, "... 2 more nodes"),
    "options between": (["tree", "w * x", "w=3", "--ascii", "x=2"], 0, "#3 = w * x"),
    "a minus in front": (["tree", "-x**2", "x=3"], 0, "x ** 2"),
    "a minus in front of a name": (["tree", "-x", "x=3"], 0, "#2 = -x"),
    "a minus in front of names": (["tree", "--ascii", "-x-y", "x=3", "y=1"], 0, "#2 - y"),
    "a variable for a known number": (["tree", "e * pi", "e=2"], 0, "e                       2       3.1416"),
    "no variable is used twice": (["check", "x**2 + x", "x=3"], 0, "gradient check passed: 1 input agrees"),
    "check": (["check", "tanh(w*x + b)", "w=0.5", "x=2", "b=-1"], 0, "gradient check passed: 3 inputs agree"),
    "inf and nan": (["tree", "x + y", "x=inf", "y=nan"], 0, "nan"),
    "file": (["tree", "model.py:loss"], 0, "given"),
    "file, names": (["tree", "model.py:loss"], 0, "loss = tanh(#5)"),
    "function": (["tree", "model.py:computed"], 0, "sin(w)"),
    "list of one": (["tree", "model.py:listed"], 0, "tanh("),
    "check of a file": (["check", "model.py:loss"], 0, "a:     ok"),
    "a wrong partial": (["check", "model.py:wrong"], 1, "gradient check FAILED"),
    "draw": (["draw", "model.py:loss", "-o", "loss.dot"], 0, "loss.dot: 6 boxes and 5 arrows"),
    "draw a module": (["draw", "model.py:network", "-o", "m.dot"], 0, "m.dot: 4 boxes and 3 arrows"),
    "a module has no moments": (["draw", "model.py:network", "--at", "3", "-o", "m.dot"], 2, "a moment needs a Value"),
    "draw a moment": (["draw", "w * x", "w=2", "x=3", "--at", "4", "-o", "at.dot"], 0, "at.dot: 3 boxes"),
    "draw less": (["draw", "2 * x", "x=3", "--hide-constants", "--rankdir", "TB", "-o", "g.dot"], 0, "g.dot: 2 boxes"),
    "draw layers": (["draw", "model.py:trained", "--collapse", "layer", "-o", "l.dot"], 0, "l.dot: 5 boxes and 4"),
    "draw neurons": (["draw", "model.py:trained", "--collapse", "neuron", "-o", "l.dot"], 0, "l.dot: 6 boxes"),
    "draw outer modules": (["draw", "model.py:trained", "--collapse", "0", "-o", "l.dot"], 0, "l.dot: 5 boxes and 4"),
    "draw what fits": (["draw", "model.py:trained", "--collapse", "auto", "-o", "l.dot"], 0, "l.dot: 10 boxes"),
    "draw heat and formulas": (
        ["draw", "a * b", "a=2", "b=3", "--color", "grad", "--edge-labels", "both", "-o", "c.dot"], 0, "c.dot: 3 boxes",
    ),
    "no such level": (["draw", "2 * x", "x=3", "--collapse", "all"], 2, "collapse must be one of None, neuron, layer"),
    "no such labels": (["draw", "2 * x", "x=3", "--edge-labels", "all"], 2, "invalid choice: 'all'"),
    "no such colour": (["draw", "2 * x", "x=3", "--color", "data"], 2, "invalid choice: 'data'"),
    "page": (["page", "w * x", "w=2", "x=3", "-o", "s.html", "--title", "A product"], 0, "s.html: 5 steps"),
    "page of a file": (["page", "model.py:loss"], 0, "steps.html: 10 steps"),
    "an unknown page": (["page", "x * 2", "x=1", "-o", "x.svg"], 2, "a page is saved as .html"),
    "no target": (["tree"], 2, "the following arguments are required: TARGET"),
    "no command": ([], 2, "the following arguments are required: COMMAND"),
    "no such command": (["frob"], 2, "invalid choice: 'frob'"),
    "no such option": (["tree", "x", "x=1", "--frob"], 2, "there is no option --frob; glassgrad COMMAND --help"),
    "missing": (["tree", "w * x + b", "x=2"], 2, "every variable needs a number; got none for w, b; add w=1.5 b=1.5"),
    "unused": (["tree", "x * x", "x=2", "z=3"], 2, "z is no variable of the expression; these are x"),
    "no assignment": (["tree", "x", "2"], 2, "variables are given as NAME=NUMBER; got '2'; as in: w=0.5 x=2"),
    "no number": (["tree", "x", "x=two"], 2, "x needs a number; got 'two'; as in: x=0.5"),
    "given twice": (["tree", "x * 1", "x=2", "x=3"], 2, "x is given twice"),
    "error with column": (["tree", "tanh(x) + sqr(x)", "x=1"], 2, "\n  tanh(x) + sqr(x)\n            ^"),
    "an attribute": (["tree", "x.__class__", "x=1"], 2, "^"),
    "constants only": (["tree", "1 + 2"], 2, "glassgrad: "),
    "no file": (["tree", "nothing.py:loss"], 2, "there is no file 'nothing.py'"),
    "no name": (["tree", "model.py"], 2, "a file needs the name of a Value or function in it; got model.py; add :loss"),
    "no name that can be": (["tree", "model.py:a.b"], 2, "a file needs the name of a Value or function in it"),
    "a file that leaves": (["tree", "model.py:leaves"], 2, "model.py left before it was done; got sys.exit(3); put"),
    "an interrupt": (["tree", "model.py:interrupted"], 130, "glassgrad: interrupted"),
    "no such short option": (["tree", "x", "x=1", "-v"], 2, "variables are given as NAME=NUMBER; got '-v'"),
    "no such name": (["tree", "model.py:los"], 2, "model.py has no 'los'; did you mean loss?"),
    "far from any name": (["tree", "model.py:zebra"], 2, "Values in it are a, b, loss"),
    "no Value": (["tree", "model.py:number"], 2, "number in model.py must be a Value, or a function of no arguments"),
    "no Values at all": (["tree", "beside.py:OFFSET"], 2, "there are no Values in it"),
    "variables for a file": (["tree", "model.py:loss", "x=1"], 2, "a file takes no variables; got x=1"),
    "an unknown format": (["draw", "x * 2", "x=1", "-o", "x.bmp"], 2, "a diagram is saved as one of"),
    "no folder": (["draw", "x * 2", "x=1", "-o", "no/x.svg"], 2, "no such folder"),
    "a moment that is none": (["draw", "x * 2", "x=1", "--at", "99", "-o", "x.dot"], 2, "got 99"),
    "a bad depth": (["tree", "x * 2", "x=1", "--depth", "-1"], 2, "depth must be at least 0"),
    "an error in the file": (["tree", "model.py:broken"], 2, "ZeroDivisionError"),
}  # fmt: skip


@pytest.mark.parametrize("case", RUNS)
def test_runs(case: str, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments, code, expected = RUNS[case]
    try:
        ended = main(arguments)
    except SystemExit as stop:  # argparse leaves this way
        ended = int(stop.code or 0)
    printed = capsys.readouterr()
    assert ended == code
    assert expected in (printed.err if code > 1 else printed.out)
    assert not (printed.out if code > 1 else printed.err), "results go to stdout, complaints to stderr"
    if code == 2 and "error in the file" not in case:
        assert "Traceback" not in printed.err


def test_an_error_in_a_file_shows_the_line_of_the_file(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tree", "model.py:broken"]) == 2
    shown = capsys.readouterr().err
    assert "line 15, in broken" in shown
    assert "viz" not in shown, "the way there is nobody's business"


@pytest.mark.parametrize("command", ["", "step", "page", "draw", "check", "tree"])
def test_help_is_worth_reading(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([*filter(None, [command]), "--help"])
    assert stop.value.code == 0
    shown = capsys.readouterr().out
    assert "THIS RUNS THE FILE" in shown
    assert '"tanh(w*x + b)" w=0.5 x=2 b=-1' in shown
    assert all(len(line) <= 120 for line in shown.splitlines())


def test_step_on_a_pipe(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("until w\nquit\n"))
    assert main(["step", "w * x", "w=3", "x=2", "--ascii"]) == 0
    assert "-> w   d#3/dw = x = 2   x 1 = +2   grad 0 -> 2   (final)" in capsys.readouterr().out


def run(*command: str, folder: Path, **options: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(session.ROOT)}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, **options  # type: ignore[call-overload, no-any-return]
    )  # fmt: skip


def test_as_a_module_and_as_a_script(tmp_path: Path) -> None:
    by_module = run(sys.executable, "-m", "viz.cli", "check", "x**3", "x=2", folder=tmp_path)
    assert (by_module.returncode, by_module.stderr) == (0, "")
    script = Path(sys.executable).with_name("glassgrad")
    if script.exists():
        assert run(str(script), "check", "x**3", "x=2", folder=tmp_path).stdout == by_module.stdout


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_terminal_of_few_characters(encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    (tmp_path / "model.py").write_text("from engine import Value\nloss = Value(2.0, label='θ') * 3\n", encoding="utf-8")
    for command, expected in (("tree", "`- \\u03b8"), ("check", "\\u03b8: ok")):
        done = run(sys.executable, "-m", "viz.cli", command, "model.py:loss", folder=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert expected in done.stdout


def test_files_beside_that_are_called_like_ours(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "model.py").write_text("from engine import Value\nloss = Value(2.0) * 3\n")
    for name in ("cmd", "difflib", "fnmatch"):
        (tmp_path / "code" / f"{name}.py").write_text("raise RuntimeError('not this one')\n")
    done = run(sys.executable, "-m", "viz.cli", "step", "code/model.py:loss", folder=tmp_path, input="q\n")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_reader_that_goes_away(tmp_path: Path) -> None:
    command = f'"{sys.executable}" -m viz.cli tree "sum([{", ".join("x" * 1 for _ in range(500))}])" x=1 | head -n 1'
    done = run("bash", "-c", f"set -o pipefail; {command}", folder=tmp_path)
    assert done.returncode == 0
    assert done.stderr == ""


def test_the_file_does_not_run_for_an_expression(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but a target of the form FILE.py:NAME runs anything."""
    (tmp_path / "evil.py").write_text("raise SystemExit('ran')")
    monkeypatch.chdir(tmp_path)
    assert main(["tree", "evil", "evil=1"]) in (0, 2)
    assert viz.cli.main(["tree", "evil.py"]) == 2
