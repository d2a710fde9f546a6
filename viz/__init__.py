"""glassgrad's pictures of a graph: a diagram, and a tree for the terminal.

It reads what the engine recorded and changes nothing in it; it knows nothing of layers and losses.

>>> from engine import Value
>>> import viz
>>> a, b = Value(2.0, label="a"), Value(-3.0, label="b")
>>> loss = (a * b + 10).tanh()
>>> viz.draw(loss)
<Diagram of 6 nodes and 5 edges: .save("graph.svg"), .source>
"""

from viz.diagram import Diagram, draw
from viz.terminal import tree

__all__ = ["Diagram", "draw", "tree"]
