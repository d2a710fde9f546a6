"""The prompt in its surroundings: streams of all kinds, interrupts, pipes, and real terminals."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import IO

import pexpect
import pytest
import session
from prompts import Prompt, network

import viz
from engine import Trace, Value
from viz.debugger import Debugger


def test_debug_takes_values_and_traces() -> None:
    for thing in (network(), Trace(network())):
        shown = io.StringIO()
        viz.debug(thing, stdin=io.StringIO("end\n"), stdout=shown)
        assert "step 47/47" in shown.getvalue(), "it leaves when there is no more to read"
    with pytest.raises(TypeError, match="debug steps through a Value or a Trace; got int; pass the loss"):
        viz.debug(3)  # type: ignore[arg-type]


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])  # the second knows …, not θ
def test_a_stream_that_knows_few_characters(encoding: str) -> None:
    raw = io.BytesIO()
    shown = io.TextIOWrapper(raw, encoding=encoding)
    viz.debug(Value(2.0, label="θ") * 3, stdin=io.StringIO("end\nb θ\n"), stdout=shown)
    shown.flush()
    assert b"-> \\u03b8" in raw.getvalue()
    assert b"***" not in raw.getvalue()


def test_streams_of_few_methods() -> None:
    shown: list[str] = []
    viz.debug(Value(2.0) * 3, stdin=io.StringIO("end\n"), stdout=SimpleNamespace(write=shown.append, flush=int))  # type: ignore[arg-type]
    assert "step 4/4" in "".join(shown)


def broken(kind: str) -> IO[str]:
    if kind == "bytes that are no text":
        return io.TextIOWrapper(io.BytesIO(b"s\n\xff\n"), encoding="utf-8")
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize("kind", ["closed", "bytes that are no text"])
def test_commands_that_cannot_be_read(kind: str) -> None:
    shown = io.StringIO()
    viz.debug(Value(2.0) * 3, stdin=broken(kind), stdout=shown)
    assert "*** commands cannot be read: " in shown.getvalue()


def test_an_interrupted_run_says_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    prompt = Prompt(network())
    prompt.type("s", "u", "b op:tanh, data > 9")

    def interrupt(*, forwards: bool) -> None:
        prompt.cursor.go(40)
        raise KeyboardInterrupt

    monkeypatch.setattr(prompt.stops, "run", interrupt)
    answer = prompt.type("c")
    assert "interrupted; c goes on\nstep 40/47" in answer
    event = prompt.cursor.event
    assert event
    assert prompt.here is event.node, "not where `up` had led"


def test_an_interrupt_does_not_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    prompt = Prompt(network())
    calls = iter([KeyboardInterrupt, None])

    def cmdloop(self: Debugger) -> None:
        if error := next(calls):
            raise error

    monkeypatch.setattr(Debugger, "cmdloop", cmdloop)
    prompt.run()
    assert "interrupted; q leaves" in prompt.shown.getvalue()


# --- over real terminals and pipes


def test_the_transcript_is_true(tmp_path: Path) -> None:
    shown = session.run(session.commands(), tmp_path)
    assert shown == session.TRANSCRIPT.read_text(), "run python tests/regenerate.py and read what has changed"
    assert "<svg" in (tmp_path / "moment.svg").read_text()


def test_the_transcript_has_every_command() -> None:
    typed = {command.split()[0] for command in session.commands() if command}
    assert typed >= {
        "s", "n", "rs", "rn", "c", "rc", "break", "tbreak", "watch", "until", "return", "jump", "where", "up", "down",
        "why", "paths", "check", "graph", "start", "end", "list", "ll", "p", "display", "info", "quit",
    }  # fmt: skip


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="the new prompt of 3.13 needs a terminal that is not dumb")
def test_lines_typed_at_pythons_own_prompt(tmp_path: Path) -> None:
    child = session.spawn(["-q"], tmp_path, HOME=str(tmp_path))  # and its history
    typed = ["import viz", "from engine import Value", "a = Value(3.0, label='a')", "loss = (a *", "        a)"]
    for line in typed:
        child.expect([">>> ", r"\.\.\. "])
        child.sendline(line)
    child.expect_exact(">>> ")
    child.sendline("viz.debug(loss)")
    child.expect_exact(session.PROMPT)
    child.sendline("end")
    child.expect_exact(session.PROMPT)
    assert "backward  #2 = a * a      <stdin-2>:1  loss = (a *" in child.before
    child.sendline("list")
    child.expect_exact(session.PROMPT)
    assert "   1 -> loss = (a *" in child.before
    child.sendline("until a\t")  # completion leaves a full name as it is
    child.expect_exact("a has its final gradient already")
    child.expect_exact(session.PROMPT)
    child.sendeof()
    child.expect_exact(">>> ")
    child.sendline("a.grad")
    child.expect_exact("0.0")
    child.sendline("exit()")
    child.expect(pexpect.EOF)


def test_a_pipe(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "viz.cli", "step", "tanh(w * x)", "w=0.5", "x=2"]
    done = subprocess.run(
        command, input="n 4\nend\n", capture_output=True, text=True, check=True, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(session.ROOT)},
    )  # fmt: skip
    assert "\x1b" not in done.stdout
    assert "(glass) step 8/8" not in done.stdout
    assert "step 7/7  backward  #3 = w * x" in done.stdout
    assert done.stdout.endswith("\n")
