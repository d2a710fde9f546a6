"""A mistake in the table of operations, and in all that is made from it, for as long as a test needs it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from engine import OPS, Value, functions, operators
from engine.generate import method_names


@contextmanager
def wrong_rule(patch: pytest.MonkeyPatch, name: str, *partials: str) -> Iterator[None]:
    """Another partial in the table, in everything that is generated from it."""
    op = OPS[name]
    for method in method_names(op):  # looking one up makes it: before the rule is wrong, to have it again afterwards
        patch.setattr(Value, method, operators._Method(op, method))
    patch.setattr(op, "partials", partials)
    patch.setattr("engine.rules._evaluators", {})
    vars(functions).pop(name, None)  # made when first asked for, wrong here and right again afterwards
    yield
    patch.undo()
    vars(functions).pop(name, None)
