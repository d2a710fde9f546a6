"""The fixture that all modules share: one browser for the whole session."""

from browser import chromium

__all__ = ["chromium"]
