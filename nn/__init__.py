"""A small neural-network library, built from Values only.

>>> import nn
>>> model = nn.MLP(2, [3, 1], activation="tanh", seed=0)
>>> loss = nn.mse(model([0.5, -1.0]), [1.0])
>>> loss.backward()
>>> nn.SGD(learning_rate=0.1).step(model.parameters())
>>> nn.mse(model([0.5, -1.0]), [1.0]) < loss
True
"""

from nn import initializers, losses, metrics, schedules
from nn.attention import CausalSelfAttention, TransformerBlock
from nn.augmentation import augment
from nn.callbacks import Callback, Checkpoint, EarlyStopping, StopWhen
from nn.clipping import clip_by_norm, clip_by_value
from nn.containers import Residual, Sequential, TimeDistributed
from nn.convolution import AvgPool2D, Conv2D, MaxPool2D
from nn.data import Alphabet, Standardizer, batches, one_hot, split
from nn.datasets import circles, digits, element_names, mnist, moons, spirals, xor
from nn.embedding import Embedding, PositionEmbedding
from nn.evaluation import evaluate, predict
from nn.exporting import export_onnx, to_torch_state_dict
from nn.files import load, save
from nn.history import History
from nn.idx import read_idx
from nn.layers import MLP, Dense, Layer, Neuron
from nn.losses import (
    binary_crossentropy,
    categorical_crossentropy,
    hinge,
    huber,
    kl_divergence,
    l1,
    l2,
    mae,
    mse,
    sparse_categorical_crossentropy,
    squared_hinge,
)
from nn.module import Module
from nn.normalization import BatchNorm, LayerNorm, RMSNorm
from nn.optimizer import Optimizer
from nn.optimizers import SGD, Adagrad, Adam, AdamW, RMSprop
from nn.recurrent import Cell, GRUCell, LSTMCell, Recurrent, RNNCell
from nn.schedules import Constant, CosineDecay, ExponentialDecay, LinearWarmup, ReduceOnPlateau, StepDecay
from nn.stateless import Activation, Dropout, Flatten, Lambda
from nn.training import Training, fit

__all__ = [
    "MLP", "SGD", "Activation", "Adagrad", "Adam", "AdamW", "Alphabet", "AvgPool2D", "BatchNorm", "Callback",
    "CausalSelfAttention", "Cell", "Checkpoint", "Constant", "Conv2D", "CosineDecay", "Dense", "Dropout",
    "EarlyStopping", "Embedding", "ExponentialDecay", "Flatten", "GRUCell", "History", "LSTMCell", "Lambda", "Layer",
    "LayerNorm", "LinearWarmup", "MaxPool2D", "Module", "Neuron", "Optimizer", "PositionEmbedding", "RMSNorm",
    "RMSprop", "RNNCell", "Recurrent", "ReduceOnPlateau", "Residual", "Sequential", "Standardizer", "StepDecay",
    "StopWhen", "TimeDistributed", "Training", "TransformerBlock", "augment", "batches", "binary_crossentropy",
    "categorical_crossentropy", "circles", "clip_by_norm", "clip_by_value", "digits", "element_names", "evaluate",
    "export_onnx", "fit", "hinge", "huber", "initializers", "kl_divergence", "l1", "l2", "load", "losses", "mae",
    "metrics", "mnist", "moons", "mse", "one_hot", "predict", "read_idx", "save", "schedules",
    "sparse_categorical_crossentropy", "spirals", "split", "squared_hinge", "to_torch_state_dict", "xor",
]  # fmt: skip
