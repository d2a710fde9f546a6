"""`viz.plots`: pictures of training. Each takes Axes of matplotlib or makes a figure, and returns the Axes it drew on.

Legible in grey print and for all kinds of sight: markers, line styles, numbers and names stand beside the colours. No
window is opened, and matplotlib's settings stay as they are. `ax.figure.savefig("curves.svg")` writes a file.

>>> from matplotlib.figure import Figure
>>> import viz
>>> viz.plots.curves({"loss": [0.9, 0.5, 0.3]}, ax=Figure().subplots()).get_ylabel()
'loss'
"""

from viz.boundary import decision_boundary
from viz.images import attribution, weights
from viz.lines import curves, gradient_norms, layer_gradient_norms

__all__ = ["attribution", "curves", "decision_boundary", "gradient_norms", "layer_gradient_norms", "weights"]
