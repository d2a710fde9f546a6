"""`demos/attributions.py`: the gradients are those of the pixels, and integrated gradients are complete."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nn

pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")
DEMO = runpy.run_path(str(Path(__file__).parent.parent / "demos" / "attributions.py"))


def test_integrated_gradients_are_complete(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "picture.svg"
    assert DEMO["main"](["--epochs", "8", "--path", "100", "--output", str(picture)]) == 0
    assert "<svg" in picture.read_text()
    said = capsys.readouterr().out
    near, along = (float(number) for number in re.findall(r"apart by (\S+) at most", said))
    assert along < 1e-3 < 0.1 < near
    rows = [line.split() for line in said.splitlines() if re.fullmatch(r"(\s+[+-]\d+\.\d){8}", line)]
    [difference] = re.findall(r"The score is (\S+) more", said)
    assert sum(float(number) for row in rows for number in row) == pytest.approx(float(difference), abs=64 * 0.05)


def test_too_short_a_path_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert DEMO["main"](["--epochs", "8", "--path", "1", "--output", str(tmp_path / "picture.svg")]) == 1
    assert "not complete: more --path" in capsys.readouterr().out


def test_slopes_are_those_of_the_pixels() -> None:
    """Beside central differences of the model itself."""
    model = nn.MLP(3, [4, 2], "gelu", seed=1)
    pictures, chosen = np.array([[0.2, -0.5, 1.0], [0.9, 0.0, 0.3]]), np.eye(2)
    scores, slopes = DEMO["score_and_slopes"](model)(pictures, chosen)

    def score(k: int, move: Any) -> float:
        return float(model((pictures[k] + move).tolist())[k].data)

    for k in range(2):
        steps = 1e-5 * np.eye(3)
        differences = [(score(k, step) - score(k, -step)) / 2e-5 for step in steps]
        np.testing.assert_allclose(np.asarray(slopes)[k], differences, rtol=1e-7, atol=1e-9)
        assert scores[k] == pytest.approx(score(k, 0.0), rel=1e-12)
