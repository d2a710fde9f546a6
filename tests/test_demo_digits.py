"""`demos/digits.py`: real digits are read, from scikit-learn and from files of MNIST's format."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import numpy as np
import pytest

import nn

DEMO = Path(__file__).parent.parent / "demos" / "digits.py"


def write_as_mnist(folder: Path) -> None:
    """Scikit-learn's digits, drawn larger on 28x28 pixels."""
    for part, (x, y) in zip(("train", "t10k"), nn.digits(), strict=True):
        larger = np.pad(x.reshape(-1, 8, 8).repeat(3, axis=1).repeat(3, axis=2), ((0, 0), (2, 2), (2, 2)))
        for kind, array in (("images", np.rint(larger * 255)), ("labels", y)):
            head = bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
            path = folder / f"{part}-{kind}-idx{array.ndim}-ubyte"
            path.write_bytes(head + array.astype("u1").tobytes())


@pytest.mark.parametrize(
    ("files", "epochs", "reached"),
    [(False, "30", True), (True, "2", False)],
    ids=["scikit-learn's", "MNIST's format, too few epochs"],
)
def test_digits_are_read(
    files: bool, epochs: str, reached: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "digits.svg"
    folder: list[str] = []
    if files:
        write_as_mnist(tmp_path)
        folder = ["--folder", str(tmp_path)]
    code = runpy.run_path(str(DEMO))["main"](["--epochs", epochs, "--output", str(picture), *folder])
    said = capsys.readouterr().out
    assert code == (0 if reached else 1), said
    assert ("The aim of 96% is reached." in said) is reached
    assert f"Layer({784 if files else 64} -> 64, relu)" in said
    share = re.search(r"not seen, ([\d.]+)%", said)
    assert share and float(share[1]) > 75
    assert "<svg" in picture.read_text()
