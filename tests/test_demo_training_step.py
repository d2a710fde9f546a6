"""`demos/training_step.py`: fit and steps by hand, eager and compiled, give the same numbers."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

DEMO = Path(__file__).parent.parent / "demos" / "training_step.py"


def test_three_ways_to_train_agree(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "steps.svg"
    options = ["--examples", "70", "--epochs", "2", "--further", "40", "--output", str(picture)]
    assert runpy.run_path(str(DEMO))["main"](options) == 0
    said = capsys.readouterr().out
    assert len(set(re.findall(r"loss ([\d. ]+\d)   in", said))) == 1
    assert "the same." in said
    assert "The loss fell in every epoch" in said
    few, many = (float(share) for share in re.findall(r"reads? ([\d.]+)%", said))
    assert many > few
    assert "<svg" in picture.read_text()
