"""From DOT text to a picture: by the program `dot` where it is installed, else by the package pygraphviz.

Layout of a large graph can take minutes or forever, so both run in a process of their own that can be stopped.
This module knows nothing of Values.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from importlib.util import find_spec
from math import inf
from shutil import which
from time import monotonic

PIP_INSTALL = "pip install 'glassgrad[viz]'"

# pygraphviz carries Graphviz as a library, without the program `dot`.
_PYGRAPHVIZ = """
import sys, pygraphviz
graph = pygraphviz.AGraph(string=sys.stdin.buffer.read().decode())
sys.stdout.buffer.write(graph.draw(prog="dot", format=sys.argv[1], args=" ".join(sys.argv[2:])))
"""

_OPTIONS = {"png": ["-Gdpi=144"]}  # sharp on today's screens; the other formats have no pixels


def lay_out(source: str, format: str, time_limit: float) -> bytes:
    """The picture of a DOT text, in the format of that name.

    Args:
        source: DOT text.
        format: svg, png or pdf.
        time_limit: seconds for all attempts together; `inf` for no limit.

    Raises:
        RuntimeError: there is no Graphviz on this machine, or it failed.
        subprocess.TimeoutExpired: the time is over.
    """
    commands = _commands(format)
    if not commands:
        raise RuntimeError(
            "nothing here can lay a diagram out; found neither Graphviz's program dot nor the Python package "
            f"pygraphviz; {advice()}"
        )
    end = monotonic() + time_limit
    failures = []
    for name, command in commands:
        code, picture, complaints = _run(command, source, None if time_limit == inf else max(end - monotonic(), 0.0))
        if code == 0 and picture:
            return picture
        failures.append(f"{name} ended with {code}: {_last_line(complaints)}")
    raise RuntimeError(f"Graphviz failed to lay the diagram out; {' and '.join(failures)}; {advice()}")


def _run(command: list[str], source: str, seconds: float | None) -> tuple[int, bytes, bytes]:
    """Exit code, output and complaints of a program; whatever interrupts it, nothing of it goes on running."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # a group of its own: `dot` may be a script that starts others
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),  # else Windows opens a terminal
    )
    with process:
        try:
            picture, complaints = process.communicate(source.encode(), timeout=seconds)
        except BaseException:
            if hasattr(os, "killpg"):
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
            raise
    return process.returncode, picture, complaints


def _commands(format: str) -> list[tuple[str, list[str]]]:
    """What can be tried, best first. A program costs 40 ms, the package 200 ms for a new Python."""
    options = _OPTIONS.get(format, [])
    found = []
    program = which("dot")
    if program:
        found.append(("dot", [program, f"-T{format}", *options]))
    if sys.executable and find_spec("pygraphviz"):
        # -P: a file of the user's in the current directory must not stand in for a module.
        found.append(("pygraphviz", [sys.executable, "-P", "-c", _PYGRAPHVIZ, format, *options]))
    return found


def _last_line(output: bytes) -> str:
    return output.decode(errors="replace").strip().rpartition("\n")[2][:300] or "no message"


def advice() -> str:
    """What to install on this system, and what works without."""
    return (
        f"install it with: {PIP_INSTALL}, or {_system_install()}; until then viz.tree(value) shows the graph as text, "
        'and .save("graph.dot") keeps the diagram'
    )


_INSTALL = {
    "debian": "sudo apt install graphviz",
    "ubuntu": "sudo apt install graphviz",
    "fedora": "sudo dnf install graphviz",
    "rhel": "sudo dnf install graphviz",
    "arch": "sudo pacman -S graphviz",
    "suse": "sudo zypper install graphviz",
    "alpine": "sudo apk add graphviz",
    "darwin": "brew install graphviz",
    "win32": "winget install graphviz (or: choco install graphviz)",
}


def _system_install() -> str:
    names = [sys.platform]
    if sys.platform == "linux":
        import platform

        try:
            release = platform.freedesktop_os_release()
        except OSError:  # a system without that file
            release = {}
        names = [release.get("ID", ""), *release.get("ID_LIKE", "").split()]
    return next((_INSTALL[name] for name in names if name in _INSTALL), "Graphviz from https://graphviz.org/download")
