"""A session at the prompt over a real pseudo-terminal, as text: what `demos/stepping.txt` is made of."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pexpect

ROOT = Path(__file__).parent.parent
TRANSCRIPT = ROOT / "demos" / "stepping.txt"
PROMPT = "(glass) "
COMMAND = "$ glassgrad step demos/stepping.py:loss"


def commands() -> list[str]:
    """The commands of the transcript."""
    lines = TRANSCRIPT.read_text().splitlines()
    return [line.removeprefix(PROMPT) for line in lines if line.startswith(PROMPT)]


def spawn(arguments: list[str], folder: Path, **environment: str) -> pexpect.spawn[str]:
    """The command line on a terminal of its own, wide enough that nothing wraps."""
    plain = {
        **os.environ, "PYTHONPATH": str(ROOT), "TERM": "dumb", "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8",
        "HOME": str(folder),  # Python's prompt reads and writes a history there
    }  # fmt: skip
    return pexpect.spawn(
        sys.executable, arguments, cwd=str(folder), env={**plain, **environment}, encoding="utf-8", timeout=60,
        dimensions=(50, 250),
    )  # fmt: skip


def run(typed: list[str], folder: Path) -> str:
    """Type the commands, one when the prompt is there; what the terminal shows."""
    demos = folder / "demos"
    demos.mkdir(exist_ok=True)
    shutil.copy(ROOT / "demos" / "stepping.py", demos)
    child = spawn(["-m", "viz.cli", *COMMAND.split()[2:]], folder)
    child.delaybeforesend = None  # it types when the prompt is there
    shown = [COMMAND + "\n"]
    for command in typed:
        child.expect_exact(PROMPT)
        shown.append(child.before or "")
        shown.append(PROMPT)
        child.sendline(command)
    child.expect(pexpect.EOF)
    shown.append(child.before or "")
    child.close()
    if child.exitstatus != 0:
        raise RuntimeError(f"the session ended with {child.exitstatus}: {shown[-1]}")
    return "".join(shown).replace("\r\n", "\n")
