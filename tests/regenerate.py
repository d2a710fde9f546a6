"""Write what follows from the code: the type stub and the README's list of operations from the operation table, the
README's compiled programs, and the transcript of a session at the prompt from the commands in it.

    python tests/regenerate.py

`test_documents.py` keeps them equal to the code.
"""

from __future__ import annotations

import re
from doctest import DocTestParser
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import models
import numpy as np
import session

from engine import OPS, Op, compile
from engine.generate import DUNDERS, UNARY_DUNDERS, method_names

ROOT = Path(__file__).parent.parent
STUB = ROOT / "engine" / "generated.pyi"
README = ROOT / "README.md"
BEGIN, END = "<!-- operations: from engine/ops.py -->\n", "<!-- end of operations -->\n"
TRANSFORMER, AFTER = "<!-- program: of tests/models.py -->\n", "<!-- end of program -->\n"


def stub() -> str:
    """What type checkers see of the methods and functions that come from the table."""
    lines = [
        "# Written by tests/regenerate.py from engine/ops.py: types of the generated methods and functions.",
        "from collections.abc import Iterable",
        "",
        "from engine.value import Value",
        "",
        "Number = Value | float",
        "",
        "class Methods:",
    ]
    for op in OPS.values():
        for name in method_names(op):
            rest = (
                "other: float"
                if name.startswith("__r")
                else _parameters(op, ["other"] if len(op.operands) == 2 else None)
            )
            joined = f", {rest}" if rest else ""
            lines.append(f"    def {name}(self{joined}) -> Value: ...")
    lines.append("")
    for op in OPS.values():
        lines.append(f"def {op.name}({_parameters(op, None, 0)}) -> Value: ...")
    return "\n".join(lines) + "\n"


def _parameters(op: Op, names: list[str] | None, start: int = 1) -> str:
    kind = "Iterable[Number]" if op.variadic else "Number"
    parts = []
    for name in op.operands[start:]:
        shown = names[0] if names and name not in op.defaults else name
        parts.append(f"{shown}: {kind}" + (" = ..." if name in op.defaults else ""))
    return ", ".join(parts)


def table() -> str:
    """The list of operations for the README."""
    rows = ["| operation | value z | partials | what it is |", "|---|---|---|---|"]
    for op in OPS.values():
        if op.name in DUNDERS:
            call = f"`x {op.symbol} y`"
        elif op.name in UNARY_DUNDERS:
            call = "`-x`" if op.name == "neg" else "`abs(x)`"
        else:
            call = f"`{op.name}({', '.join(op.operands)})`"
        partials = "<br>".join(f"`{rule}`" for rule in op.textbook)
        rows.append(
            f"| {call} | `{op.value}` | {partials} | {op.doc} |".replace("|x|", "\\|x\\|").replace(
                "|gamma(x)|", "\\|gamma(x)\\|"
            )
        )
    return "\n".join(rows) + "\n"


def transformer() -> str:
    """The array program of a Transformer, for the README."""
    letters = np.eye(27)[None, [26, 0, 13, 13, 0, 7, 26]]
    compiled = compile(models.transformer())
    compiled.value_and_grad(letters[:, :-1], letters[:, 1:])
    return f"```\n{compiled.program}\n```\n"


def readme() -> str:
    text = README.read_text()
    for begin, made, end in ((BEGIN, table(), END), (TRANSFORMER, transformer(), AFTER)):
        before, _, rest = text.partition(begin)
        _, _, after = rest.partition(end)
        text = before + begin + made + end + after
    return with_programs(text)


def with_programs(text: str) -> str:
    """The README with what its examples print of programs."""
    scope: dict[str, Any] = {}
    for example in DocTestParser().get_examples(text):
        program = re.match(r"print\((\w+)\.program\)", example.source)
        if program:
            wanted = str(eval(program[1], scope).program) + "\n"
            text = text.replace(example.source + example.want, example.source + wanted)
        elif "print" not in example.source:
            exec(example.source, scope)
    return text


if __name__ == "__main__":
    STUB.write_text(stub())
    README.write_text(readme())
    with TemporaryDirectory() as folder:
        session.TRANSCRIPT.write_text(session.run(session.commands(), Path(folder)))
