"""Graphs to draw, and what one reads in their pictures."""

from __future__ import annotations

import random
import xml.etree.ElementTree as ET
from typing import Any

import nn
import viz
from engine import Value, functions

SVG = "{http://www.w3.org/2000/svg}"


def expression() -> Value:
    a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    loss = (a * b + 10).tanh()
    loss.label = "loss"
    loss.backward()
    return loss


def network() -> Value:
    """A 2-3-1 network and its squared error."""
    values = random.Random(0)
    x = [Value(1.0, "x0"), Value(0.5, "x1")]
    for layer, width in enumerate([3, 1]):
        names = [f"layers.{layer}.neurons.{k}" for k in range(width)]
        x = [
            (functions.dot([Value(values.gauss(0, 1), f"{n}.weight.{i}") for i in range(len(x))], x)
             + Value(0.0, f"{n}.bias")).sigmoid()
            for n in names
        ]  # fmt: skip
    loss = (x[0] - 1) ** 2
    loss.backward()
    return loss


def perceptron(samples: int, sizes: tuple[int, ...] = (16, 16, 1)) -> tuple[nn.MLP, Value]:
    numbers = random.Random(1)
    model = nn.MLP(2, sizes, seed=0)
    points = [[numbers.gauss(0, 1), numbers.gauss(0, 1)] for _ in range(samples)]
    loss = nn.mse([model(point)[0] for point in points], [float(x > y) for x, y in points])
    loss.backward()
    return model, loss


def by_hand(samples: int, sizes: tuple[int, ...] = (16, 16, 1)) -> Value:
    """The same from products and sums, of about 6,800 nodes for ten samples."""
    numbers = random.Random(1)
    layers, width = [], 2
    for layer, size in enumerate(sizes):
        names = [f"layers.{layer}.neurons.{k}" for k in range(size)]
        layers.append([
            ([Value(numbers.gauss(0, 1), f"{name}.weight.{i}") for i in range(width)], Value(0.0, f"{name}.bias"))
            for name in names
        ])  # fmt: skip
        width = size

    def predict(x: list[Value]) -> Value:
        for layer in layers:
            x = [sum((w * v for w, v in zip(ws, x, strict=True)), bias).relu() for ws, bias in layer]
        return x[0]

    points = [[Value(numbers.gauss(0, 1)), Value(numbers.gauss(0, 1))] for _ in range(samples)]
    loss: Value = sum((predict(point) - float(k % 2)) ** 2 for k, point in enumerate(points)) * (1 / samples)
    loss.backward()
    return loss


def svg_of(value: Any, **options: Any) -> str:
    return viz.draw(value, **options)._repr_mimebundle_()["image/svg+xml"]


def parse(svg: str) -> tuple[dict[str, list[str]], list[tuple[str, list[str]]]]:
    """The lines of text on each box, and the edges with theirs, from SVG."""
    boxes, edges = {}, []
    for group in ET.fromstring(svg).iter(f"{SVG}g"):
        lines = [(text.text or "").replace("\u00a0", " ") for text in group.findall(f"{SVG}text")]
        name = group.findtext(f"{SVG}title")
        if group.get("class") == "node":
            boxes[name] = lines
        elif group.get("class") == "edge":
            edges.append((name, lines))
    return boxes, sorted(edges)


def active_parts(svg: str) -> list[str]:
    """What leads anywhere or does anything: in a picture of shapes and text, nothing."""
    allowed = {f"{SVG}{tag}" for tag in ("svg", "g", "title", "polygon", "polyline", "path", "ellipse", "text")}
    return [
        ET.tostring(element, "unicode")
        for element in ET.fromstring(svg).iter()
        if element.tag not in allowed or any("href" in name or name.startswith("on") for name in element.attrib)
    ]
