"""demos/letters.py and demos/recurrent.py, in their quick forms: both learn names letter by letter."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

DEMOS = Path(__file__).parent.parent / "demos"


@pytest.mark.parametrize(("demo", "model"), [("letters", "transformer"), ("recurrent", "recurrent net")])
def test_the_model_is_below_the_bigram_on_held_out_names(demo: str, model: str, tmp_path: Path) -> None:
    command = [sys.executable, str(DEMOS / f"{demo}.py"), "--epochs", "20", "--output", "picture.svg"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = re.findall(rf"^  (a guess|bigram|{model}) +(\S+) +(\S+)$", done.stdout, flags=re.MULTILINE)
    losses = {name: (float(training), float(held_out)) for name, training, held_out in rows}
    assert losses[model][1] < losses["bigram"][1] < losses["a guess"][1] == 3.219
    assert "<svg" in (tmp_path / "picture.svg").read_text()
