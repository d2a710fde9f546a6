"""What names mean at a moment of a trace, for conditions and displayed expressions: the fields of nodes and events.

Everything is handed out as numbers, strings and mappings of them: a condition reaches no object.
"""

from __future__ import annotations

from engine.events import Contribution

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine import Value
    from viz.cursor import Cursor

    Answer = float | str | None | Mapping[str, float | str | None]

NODE_FIELDS = ("data", "grad", "op", "label", "number", "final")
CONTRIBUTION_FIELDS = frozenset(
    ("parent", "slot", "upstream", "partial", "amount", "before", "after", "arrived", "expected")
)
OTHER_FIELDS = ("node", "step", "sweep")


class Names:
    """A position of a cursor, and the node that bare fields are of: the one at work, unless another is given.

    >>> from engine import Trace, Value
    >>> from viz.cursor import Cursor
    >>> a = Value(3.0, label="a")
    >>> names = Names(Cursor(Trace(a * a), 3))
    >>> names.resolve("op"), names.resolve("partial"), names.resolve("a")
    ('mul', 3.0, {'data': 3.0, 'grad': 3.0, 'op': 'leaf', 'label': 'a', 'number': 1, 'final': False})
    """

    def __init__(self, cursor: Cursor, node: Value | None = None) -> None:
        self.cursor = cursor
        event = cursor.event
        self.node = node if node is not None else event.node if event else cursor.trace.root
        self.contribution = event if isinstance(event, Contribution) else None

    def resolve(self, name: str) -> Answer:
        """What a name means: a field, else a node by label or number; in quotation marks a node.

        Raises:
            LookupError: nothing.
        """
        if name in NODE_FIELDS:
            return self.fields(self.node)[name]
        if name in CONTRIBUTION_FIELDS:
            if self.contribution is None:
                raise LookupError(f"{name} belongs to a contribution, and this is no step of the backward sweep")
            found = getattr(self.contribution, name)
            return self.fields(found) if name == "parent" else found
        if name == "node":
            return self.fields(self.node)
        if name == "step":
            return self.cursor.position
        if name == "sweep":
            return "forward" if self.cursor.position <= self.cursor.trace.turn else "backward"
        return self.fields(self._node(name))

    def _node(self, name: str) -> Value:
        return self.cursor.node(name[1:-1] if name.startswith('"') else name)

    def fields(self, node: Value) -> dict[str, float | str | None]:
        """What there is to know of a node at this moment."""
        cursor = self.cursor
        return {
            "data": cursor.trace.values[node] if cursor.is_computed(node) else None,
            "grad": cursor.state[node],
            "op": node.op.name,
            "label": node.label,
            "number": cursor.numbers[node],
            "final": cursor.is_final(node),
        }

    def check(self, names: frozenset[str]) -> None:
        """See that all names mean something, at one moment or another.

        Raises:
            LookupError: one does not.
        """
        for name in sorted(names - CONTRIBUTION_FIELDS - {*NODE_FIELDS, *OTHER_FIELDS}):
            self._node(name)
