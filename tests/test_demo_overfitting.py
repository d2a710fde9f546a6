"""`demos/overfitting.py`: the gap between training and validation opens, and each remedy closes a good part of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("sklearn")
DEMO = Path(__file__).parent.parent / "demos" / "overfitting.py"


def test_every_remedy_closes_the_gap(tmp_path: Path) -> None:
    command = [sys.executable, str(DEMO), "--runs", "1", "--epochs", "25", "--output", "picture.svg"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "<svg" in (tmp_path / "picture.svg").read_text()
    table = done.stdout.split("remedy ")[1].split("\n\n")[0].splitlines()[1:]
    gaps = {line[:16].strip(): float(line[16:].split()[2]) for line in table}
    plain = gaps.pop("nothing")
    assert set(gaps) == {"L1", "L2", "dropout", "augmentation", "early stopping"}
    assert plain > 0.5 and all(gap < 0.75 * plain for gap in gaps.values())
