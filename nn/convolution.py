"""Convolution and pooling over images: nested lists [channel][row][column], as PyTorch and ONNX have them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from random import Random
from typing import Any

from engine import Value, functions
from nn import activations, initializers
from nn.activations import Activation
from nn.initializers import Initializer
from nn.module import Module
from nn.nested import flattened, name_of, positive, shaped, tensor, who

Pair = tuple[int, int]
Size = int | Sequence[int]
Window = tuple[tuple[int, ...], tuple[Pair, ...]]


class Conv2D(Module):
    """Filters that slide over an image: activation(sum of weight * pixel in the window + bias), one channel for each.

    Of H rows come (H + 2 padding - kernel) // stride + 1, of columns likewise: with stride 1 and an odd kernel,
    padding=kernel // 2 keeps the size. Around the image are zeros.

    Args:
        inputs, outputs: how many channels go in and come out.
        kernel: the window's rows and columns: one number for both, or two.
        stride: how far it moves; likewise.
        padding: how many zeros lie around the image; likewise.
        activation, bias, initializer, generator, seed: as for `Layer`.

    Raises:
        ValueError: a count that is no positive whole number, an unknown name; at the call, another shape, or an image
            that is smaller than the window.

    `weight` is [output][input][row][column]. Reference: LeCun et al., *Gradient-Based Learning Applied to Document
    Recognition*, 1998.

    >>> conv = Conv2D(1, 2, 3, padding=1, activation="relu", seed=0)
    >>> from nn.nested import shape_of
    >>> shape_of(conv([[[0.0] * 5] * 4])), conv
    ((2, 4, 5), Conv2D(1 -> 2, kernel 3x3, padding 1x1, relu))
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: Size,
        stride: Size = 1,
        padding: Size = 0,
        activation: str | Activation = "linear",
        *,
        bias: bool = True,
        initializer: str | Initializer = "glorot_uniform",
        generator: Random | None = None,
        seed: int | None = None,
    ) -> None:
        self.inputs, self.outputs = positive(inputs, "inputs"), positive(outputs, "outputs")
        self.kernel, self.stride = _pair(kernel, "kernel"), _pair(stride, "stride")
        self.padding = _pair(padding, "padding", least=0)
        self.activation = activations.find(activation)
        source, area = initializers.random_generator(generator, seed), self.kernel[0] * self.kernel[1]
        draw = partial(initializers.find(initializer), source, self.inputs * area, self.outputs * area)
        self.weight = tensor(draw, self.outputs, self.inputs, *self.kernel)
        self.bias = tensor(float, self.outputs) if bias else None

    def forward(self, image: Any) -> list[list[list[Value]]]:
        channels = shaped(self, image, (self.inputs, None, None), f"an image of {self.inputs} channels of rows")
        windows = _windows(self, channels, self.kernel, self.stride, self.padding)
        filters = [[list(flattened(part)) for part in weight] for weight in self.weight]
        known: dict[tuple[int, ...], list[tuple[Value, ...]]] = {}
        outputs: list[list[list[Value]]] = [[[] for _ in windows] for _ in filters]
        for number, row in enumerate(windows):
            for taps, places in row:
                if taps not in known:  # one tuple for all windows alike, and no products with the zeros around
                    known[taps] = [tuple([part[tap] for part in parts for tap in taps]) for parts in filters]
                pixels = tuple([channel[i][j] for channel in channels for i, j in places])
                for output, weights in zip(outputs, known[taps], strict=True):
                    output[number].append(functions.dot(weights, pixels))
        biases = self.bias or [None] * self.outputs
        return [
            [[self.activation(x if bias is None else x + bias) for x in row] for row in output]
            for output, bias in zip(outputs, biases, strict=True)
        ]

    def __repr__(self) -> str:
        details = [f"{self.inputs} -> {self.outputs}", f"kernel {_by(self.kernel)}"]
        details += [f"stride {_by(self.stride)}"] * (self.stride != (1, 1))
        details += [f"padding {_by(self.padding)}"] * (self.padding != (0, 0))
        return f"Conv2D({', '.join([*details, name_of(self.activation)])})"


class MaxPool2D(Module):
    """The largest number of each window, channel by channel.

    Windows that do not fit are left out. Where numbers tie, they share the gradient (PyTorch gives it to the first).

    Args:
        kernel: the window's rows and columns: one number for both, or two.
        stride: how far it moves; as far as the window reaches, unless told.

    Raises:
        ValueError: a count that is no positive whole number; at the call, another shape, or an image that is smaller
            than the window.

    >>> [[[value.data for value in row] for row in channel] for channel in MaxPool2D(2)([[[1.0, 2.0], [4.0, 3.0]]])]
    [[[4.0]]]
    """

    def __init__(self, kernel: Size = 2, stride: Size | None = None) -> None:
        self.kernel = _pair(kernel, "kernel")
        self.stride = _pair(kernel if stride is None else stride, "stride")

    def forward(self, image: Any) -> list[list[list[Value]]]:
        return _pooled(self, functions.max, image, self.kernel, self.stride)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(kernel {_by(self.kernel)}, stride {_by(self.stride)})"


class AvgPool2D(MaxPool2D):
    """The mean of each window, channel by channel; args and errors are those of `MaxPool2D`.

    >>> [[[value.data for value in row] for row in channel] for channel in AvgPool2D(2)([[[1.0, 2.0], [4.0, 3.0]]])]
    [[[2.5]]]
    """

    def forward(self, image: Any) -> list[list[list[Value]]]:
        return _pooled(self, functions.mean, image, self.kernel, self.stride)


def _pooled(
    module: Module, function: Callable[[list[Value]], Value], image: Any, kernel: Pair, stride: Pair
) -> list[list[list[Value]]]:
    channels = shaped(module, image, (None, None, None), "an image of channels of rows")
    windows = _windows(module, channels, kernel, stride, (0, 0))
    return [
        [[function([channel[i][j] for i, j in places]) for _, places in row] for row in windows] for channel in channels
    ]


def _windows(module: Module, channels: list[Any], kernel: Pair, stride: Pair, padding: Pair) -> list[list[Window]]:
    """Of each window what lies in the image: numbers of weights, row by row, and the places of their pixels."""
    size = len(channels[0]), len(channels[0][0])
    if any(have + 2 * around < reach for have, around, reach in zip(size, padding, kernel, strict=True)):
        raise ValueError(
            f"{who(module)} takes images as large as its kernel; got {_by(size)} pixels; use a smaller kernel, or "
            "padding"
        )
    return _cut(size, kernel, stride, padding)


@lru_cache(maxsize=32)
def _cut(size: Pair, kernel: Pair, stride: Pair, padding: Pair) -> list[list[Window]]:
    rows, columns = (
        [
            [(tap, place) for tap in range(reach) if 0 <= (place := start + tap) < have]
            for start in range(-around, have + around - reach + 1, step)
        ]
        for have, reach, step, around in zip(size, kernel, stride, padding, strict=True)
    )
    return [
        [
            (
                tuple([tap * kernel[1] + other for tap, _ in down for other, _ in right]),
                tuple([(i, j) for _, i in down for _, j in right]),
            )
            for right in columns
        ]
        for down in rows
    ]


def _pair(size: Size, what: str, least: int = 1) -> Pair:
    both = (size, size) if isinstance(size, int) or not isinstance(size, Sequence) else tuple(size)
    whole = all(hasattr(n, "__index__") and not isinstance(n, bool) for n in both)
    if len(both) != 2 or not whole or min(both) < least:
        raise ValueError(f"{what} must be whole numbers from {least} on; got {size!r}; give one for both axes, or two")
    return int(both[0]), int(both[1])


def _by(pair: Pair) -> str:
    return f"{pair[0]}x{pair[1]}"
