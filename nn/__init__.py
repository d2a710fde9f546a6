"""A small neural-network library, built from Values only.

>>> import nn
>>> model = nn.MLP(2, [3, 1], activation="tanh", seed=0)
>>> loss = nn.mse(model([0.5, -1.0]), [1.0])
>>> loss.backward()
>>> nn.SGD(learning_rate=0.1).step(model.parameters())
>>> nn.mse(model([0.5, -1.0]), [1.0]) < loss
True
"""

from nn import initializers
from nn.layers import MLP, Layer, Neuron
from nn.losses import mse
from nn.module import Module
from nn.optimizers import SGD

__all__ = ["MLP", "SGD", "Layer", "Module", "Neuron", "initializers", "mse"]
