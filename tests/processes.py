"""Programs in processes of their own, which must all print the same."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
# values before all others: things lie at other addresses
BEFORE = """
import sys; sys.path.insert(0, "tests")
from engine import Value
padding = [Value(k) for k in range(int(sys.argv[1]))]
"""


def same_output(code: str) -> bytes:
    """What a program prints, whatever Python hashes strings to and wherever things lie in memory."""
    outputs = {
        subprocess.run(
            [sys.executable, "-c", BEFORE + code, seed],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"},
            cwd=ROOT,
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "77")
    }
    assert len(outputs) == 1
    return outputs.pop()
