"""demos/letters.py, in its quick form."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

DEMO = Path(__file__).parent.parent / "demos" / "letters.py"


def test_the_transformer_is_below_the_bigram_on_held_out_names(tmp_path: Path) -> None:
    command = [sys.executable, str(DEMO), "--epochs", "20", "--output", "picture.svg"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = re.findall(r"^  (a guess|bigram|transformer) +(\S+) +(\S+)$", done.stdout, flags=re.MULTILINE)
    losses = {name: (float(training), float(held_out)) for name, training, held_out in rows}
    assert losses["transformer"][1] < losses["bigram"][1] < losses["a guess"][1] == 3.219
    assert "<svg" in (tmp_path / "picture.svg").read_text()
