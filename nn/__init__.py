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
from nn.attention import CausalSelfAttention, TransformerBlock
from nn.containers import Residual, Sequential, TimeDistributed
from nn.convolution import AvgPool2D, Conv2D, MaxPool2D
from nn.embedding import Embedding, PositionEmbedding
from nn.layers import MLP, Dense, Layer, Neuron
from nn.losses import mse
from nn.module import Module
from nn.normalization import BatchNorm, LayerNorm, RMSNorm
from nn.optimizers import SGD
from nn.recurrent import Cell, GRUCell, LSTMCell, Recurrent, RNNCell
from nn.stateless import Activation, Dropout, Flatten, Lambda

__all__ = [
    "MLP", "SGD", "Activation", "AvgPool2D", "BatchNorm", "CausalSelfAttention", "Cell", "Conv2D", "Dense", "Dropout",
    "Embedding", "Flatten", "GRUCell", "LSTMCell", "Lambda", "Layer", "LayerNorm", "MaxPool2D", "Module", "Neuron",
    "PositionEmbedding", "RMSNorm", "RNNCell", "Recurrent", "Residual", "Sequential", "TimeDistributed",
    "TransformerBlock", "initializers", "mse",
]  # fmt: skip
