"""demos/convolution.py, in its quick form."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

DEMO = Path(__file__).parent.parent / "demos" / "convolution.py"


def test_the_convolutional_net_reads_digits(tmp_path: Path) -> None:
    command = [sys.executable, str(DEMO), "--epochs", "10", "--seed", "3", "--output", "picture.svg"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    [(right, digits)] = re.findall(r"(\d+) of (\d+) test digits are read rightly", done.stdout)
    assert int(right) >= 0.97 * int(digits)
    assert "<svg" in (tmp_path / "picture.svg").read_text()
