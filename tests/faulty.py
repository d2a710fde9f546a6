"""Engines as they are published, with the mistakes in them: a test that passes on these shows nothing."""

from __future__ import annotations

import math
from typing import Any


class Faulty:
    """A node as small engines write it: closures, and every mistake one may want."""

    def __init__(self, data: Any, parents: tuple[Any, ...] = (), op: str = "") -> None:
        self.data, self.grad, self.parents, self._backward = data, 0.0, parents, lambda: None

    def __add__(self, other: Any) -> Faulty:
        other = other if isinstance(other, Faulty) else Faulty(other)
        out = Faulty(self.data + other.data, (self, other))

        def _backward() -> None:
            self.grad += out.grad
            other.grad += out.grad

        out._backward = _backward
        return out

    def __mul__(self, other: Any) -> Faulty:
        other = other if isinstance(other, Faulty) else Faulty(other)
        out = Faulty(self.data * other.data, (self, other))

        def _backward() -> None:
            self.grad += other.data * out.grad  # reads late
            other.grad += self.data * out.grad

        out._backward = _backward
        return out

    __radd__, __rmul__ = __add__, __mul__

    def __pow__(self, k: float) -> Faulty:
        out = Faulty(self.data**k, (self,))

        def _backward() -> None:
            self.grad += k * self.data ** (k - 1) * out.grad

        out._backward = _backward
        return out

    def __truediv__(self, other: Any) -> Faulty:
        return self * (other if isinstance(other, Faulty) else Faulty(other)) ** -1

    def __rtruediv__(self, other: float) -> Faulty:
        return self  # 1.0 / x is x

    def relu(self) -> Faulty:
        return Faulty(max(0, self.data), (self,))

    def log(self) -> Faulty:
        out = Faulty(math.log(self.data), (self,))

        def _backward() -> None:
            self.grad += out.grad / out.data  # divides by the result

        out._backward = _backward
        return out

    def exp(self) -> Faulty:
        return Faulty(math.exp(self.data), (self,))

    def softplus(self) -> Faulty:
        return Faulty(math.log(1 + math.exp(self.data)), (self,))

    def sigmoid(self) -> Faulty:
        return Faulty(1 / (1 + math.exp(-self.data)), (self,))

    def order(self) -> list[Faulty]:
        order: list[Faulty] = []
        seen: set[int] = set()

        def build(node: Faulty) -> None:
            if id(node) not in seen:
                seen.add(id(node))
                for parent in node.parents:
                    build(parent)
                order.append(node)

        build(self)
        return order

    def backward(self, upstream: float = 1.0) -> None:
        self.grad = 1.0  # not overridable, and inner nodes keep what they had
        for node in reversed(self.order()):
            node._backward()


class Assigns(Faulty):
    """`grad =` instead of `grad +=`."""

    def __add__(self, other: Any) -> Faulty:
        out = Assigns(self.data + other.data, (self, other))

        def _backward() -> None:
            self.grad = out.grad
            other.grad = out.grad

        out._backward = _backward
        return out


class ParentSet(Faulty):
    """Parents as a set: a repeated operand is one edge."""

    def __mul__(self, other: Any) -> Faulty:
        out = ParentSet(self.data * other.data, tuple({self, other}))

        def _backward() -> None:
            for parent in out.parents:
                parent.grad += out.data / parent.data * out.grad

        out._backward = _backward
        return out


class DepthFirst(Faulty):
    """Passes gradients on in the order of a plain walk, without a topological sort."""

    def backward(self, upstream: float = 1.0) -> None:
        self.grad = 1.0
        stack: list[Faulty] = [self]
        seen: set[int] = set()
        while stack:
            node = stack.pop()
            if id(node) not in seen:
                seen.add(id(node))
                node._backward()
                stack += node.parents

    def __add__(self, other: Any) -> Faulty:
        out = super().__add__(other)
        out.__class__ = DepthFirst
        return out

    def __mul__(self, other: Any) -> Faulty:
        out = super().__mul__(other)
        out.__class__ = DepthFirst
        return out


class DoubleCounts(Faulty):
    """grad += grad + upstream."""

    def __add__(self, other: Any) -> Faulty:
        out = DoubleCounts(self.data + other.data, (self, other))

        def _backward() -> None:
            self.grad += self.grad + out.grad
            other.grad += other.grad + out.grad

        out._backward = _backward
        return out
