"""`demos/xor.py --seeds`: XOR from many first weights, compiled, as eagerly."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

DEMO = Path(__file__).parent.parent / "demos" / "xor.py"


@pytest.mark.parametrize(
    ("steps", "solved", "said"),
    [
        ("10000", True, "3 of 3 seeds solve XOR in 10000 steps"),
        ("2", False, "0 of 3 seeds solve XOR in 2 steps, 0 in 5 times as many"),
    ],
)
def test_seeds_are_counted(steps: str, solved: bool, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert runpy.run_path(str(DEMO))["main"](["--seeds", "3", "--steps", steps]) == (0 if solved else 1)
    assert said in capsys.readouterr().out


def test_compiled_descent_is_the_eager_one() -> None:
    demo = runpy.run_path(str(DEMO))
    eager, compiled = demo["first_network"](4), demo["first_network"](4)
    demo["train"](eager, 30)
    answers = next(demo["training"](compiled, 30))
    assert answers == pytest.approx([eager(list(x))[0].data for x, _ in demo["EXAMPLES"]], rel=1e-12)
