"""Machines with Graphviz's program `dot`, or the package pygraphviz, or both, or neither."""

from __future__ import annotations

import sys

import pytest

from viz import layout

# A program `dot` for tests on machines without one: the wheel's Graphviz behind the program's options.
DOT = f"""#!/bin/sh
format=${{1#-T}}; shift
exec {sys.executable} -P -c '{layout._PYGRAPHVIZ}' "$format" "$@"
"""
SLOW = "#!/bin/sh\nexec /bin/sleep 60\n"
BROKEN = "#!/bin/sh\necho '<svg half a picture'\necho 'Format: \"svg\" not recognized' >&2\nexit 3\n"


@pytest.fixture
def only(monkeypatch, tmp_path):
    """`only(program, package)`: a machine with this script for `dot`, or none, and with the package, or not."""

    def machine(program: str | None, package: bool) -> None:
        folder = tmp_path / "bin"
        folder.mkdir()
        if program:
            (folder / "dot").write_text(program)
            (folder / "dot").chmod(0o755)
        monkeypatch.setenv("PATH", str(folder))
        if not package:
            monkeypatch.setitem(sys.modules, "pygraphviz", None)

    return machine


@pytest.fixture(params=["program", "package"])
def either(request, only):
    """A machine with the program `dot` alone, and one with the package pygraphviz alone."""
    only(*((DOT, False) if request.param == "program" else (None, True)))
