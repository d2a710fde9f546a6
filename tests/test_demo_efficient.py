"""`demos/efficient.py`: what is better needs fewer steps, and the compiled step is the quicker one."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

DEMO = Path(__file__).parent.parent / "demos" / "efficient.py"


@pytest.mark.parametrize(("level", "epochs", "helped"), [("0.9", "8", True), ("0.1", "1", False)])
def test_remedies_help(
    level: str, epochs: str, helped: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "efficient.svg"
    code = runpy.run_path(str(DEMO))["main"](["--level", level, "--epochs", epochs, "--output", str(picture)])
    said = capsys.readouterr().out
    assert code == (0 if helped else 1), said
    assert ("not there yet" in re.sub(r"(all examples|batches of 128).*", "", said)) is not helped
    ratio = re.search(r"the compiled one is (\d+) times as fast", said)
    assert ratio
    assert "<svg" in picture.read_text()


def test_both_bars_end_inside_the_picture() -> None:
    demo = runpy.run_path(str(DEMO))
    runs = dict.fromkeys("abcd", demo["Run"]([2.0, 1.0], 3, 0.1))
    bars = demo["draw"]({"left": runs, "right": runs}, (0.02, 0.0001), 0.2).axes[2]
    low, high = bars.get_ylim()
    assert all(2 * low <= bar.get_height() <= high / 2 for bar in bars.patches)
