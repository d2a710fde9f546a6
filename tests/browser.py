"""A real browser for the tests of pages: Chromium, found on this machine, driven by playwright.

Where there is none, the tests that need it are skipped; with GLASSGRAD_BROWSER=required they fail instead.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).parent.parent
NAMES = ("chromium", "chromium-browser", "google-chrome")
# no sandbox: tests run as root in containers; no network of its own
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
AXE = ROOT / "build" / "npm" / "node_modules" / "axe-core" / "axe.min.js"


def missing(what: str) -> NoReturn:
    if os.environ.get("GLASSGRAD_BROWSER") == "required":
        pytest.fail(f"{what} is required here")
    pytest.skip(f"{what} is not installed")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("playwright")
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        missing("chromium")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


def axe() -> str:
    """The source of axe-core: npm install --prefix build/npm axe-core."""
    if not AXE.exists():
        missing("axe-core")
    return AXE.read_text(encoding="utf-8")
