"""Names for nodes, given by the one who wrote the program."""

from __future__ import annotations

from engine.value import Value


def label(**things: object) -> None:
    """Label Values after the names they are given under; `label(**locals())` names everything in sight.

    Values in lists, tuples and mappings get dotted names (`w.0`, `w.1`). A label that is there already stays, and what
    is not a Value is passed over.

    >>> a, w = Value(2.0), [Value(1.0), Value(3.0)]
    >>> label(a=a, w=w)
    >>> a, w[1]
    (Value(2.0, grad=0.0, label='a'), Value(3.0, grad=0.0, label='w.1'))
    """
    pending = list(things.items())
    seen: set[int] = set()
    while pending:
        name, thing = pending.pop()
        if isinstance(thing, Value):
            if thing.label is None:
                thing.label = name
        elif isinstance(thing, (list, tuple, dict)) and id(thing) not in seen:
            seen.add(id(thing))  # a list may hold itself
            items = thing.items() if isinstance(thing, dict) else enumerate(thing)
            pending += [(f"{name}.{key}", item) for key, item in items]
