"""`demos/vanishing.py`: gradients vanish and explode, and every remedy is seen to help, by numbers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

DEMO = Path(__file__).parent.parent / "demos" / "vanishing.py"


def test_every_remedy_brings_gradients_back(tmp_path: Path) -> None:
    command = [sys.executable, str(DEMO), "--steps", "110", "--output", "picture.svg"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("  seen ") == 8
    assert "NOT SEEN" not in done.stdout
    assert "<svg" in (tmp_path / "picture.svg").read_text()
    rows = {line[:27].strip(): line[27:].split() for line in done.stdout.split("\n\n")[1].splitlines()[2:]}
    ill, wild = rows.pop("sigmoid"), rows.pop("weights too large")
    assert float(ill[2]) < 1e-4 and float(wild[0]) > 100
    assert ill[-1] == wild[-1] == "nothing"
    assert len(rows) == 5
    for numbers in rows.values():
        first, loss = float(numbers[0]), float(numbers[4])
        assert 0.01 < first < 10 and loss < 0.5
