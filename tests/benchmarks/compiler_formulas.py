"""Rows of `bench_compiler` that are formulas: Rosenbrock, logistic regression, Black-Scholes, Lotka-Volterra."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from compiler_training import Array, Casadi, Descent, Hand, Ours, Row, installed, jax_module, peers, torch_module

import engine
from engine import functions

CHANCE = np.random.default_rng(0)


# --- Rosenbrock


def rosenbrock() -> Row:
    start = CHANCE.uniform(-0.5, 1.0, 1000)
    optimizer = partial(Descent, 1e-5)

    def ours(xs: Sequence[Any]) -> Any:
        return lambda: functions.sum([100 * (b - a**2) ** 2 + (1 - a) ** 2 for a, b in pairwise(xs)])

    def hand(tables: list[Array], slopes: list[Array]) -> Any:
        [x], [g] = tables, slopes
        a, b = x[:-1], x[1:]
        r, s, t = (np.empty(len(a)) for _ in range(3))

        def compute() -> float:
            np.multiply(a, a, out=r)
            np.subtract(b, r, out=r)  # b - a^2
            np.subtract(1.0, a, out=s)
            value = 100 * r.dot(r) + s.dot(s)
            np.multiply(r, 200.0, out=r)
            g[0] = 0.0
            g[1:] = r
            np.multiply(r, a, out=t)
            np.add(t, s, out=t)
            np.multiply(t, 2.0, out=t)
            np.subtract(g[:-1], t, out=g[:-1])
            return float(value)

        return compute

    def peer(xp: Any, tables: list[Any], batch: Any) -> Any:
        [x] = tables
        return xp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    def casadi(ca: Any, x: Any) -> Any:
        return ca.sum1(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    made = {
        "ours": lambda: Ours(ours, [start], [()], optimizer()),
        "numpy": lambda: Hand(hand, [start], [()], optimizer()),
        "micrograd": lambda: MicrogradRosenbrock(start, 1e-5),
        **peers(peer, [start], [()], optimizer, "autograd"),
        "casadi": lambda: Casadi(casadi, start, optimizer()),
    }
    return Row("Rosenbrock n=1000, value and gradient", made, "numpy", 1.4)


class MicrogradRosenbrock:
    def __init__(self, start: Array, rate: float) -> None:
        from micrograd.engine import Value

        self.xs, self.rate, self.losses = [Value(float(x)) for x in start], rate, []

    def step(self) -> None:
        loss = sum(100 * (b - a**2) ** 2 + (1 - a) ** 2 for a, b in pairwise(self.xs))
        for x in self.xs:
            x.grad = 0
        loss.backward()
        for x in self.xs:
            x.data -= self.rate * x.grad
        self.losses.append(loss.data)

    def result(self) -> Array:
        return np.concatenate([self.losses, [x.data for x in self.xs]])


# --- logistic regression


def logistic() -> Row:
    inputs, targets, source = breast_cancer()
    batch = (inputs, targets)
    start = [CHANCE.normal(0, 0.1, inputs.shape[1]), np.zeros(1)]
    optimizer = partial(Descent, 0.1)

    def ours(w: Sequence[Any], b: Sequence[Any]) -> Any:
        def loss(x: Any, y: Any) -> Any:
            score = functions.dot(w, x) + b[0]
            return functions.softplus(score) - y * score

        return loss

    def hand(tables: list[Array], slopes: list[Array]) -> Any:
        (w, b), (gw, gb) = tables, slopes
        s, e, t = (np.empty(len(targets)) for _ in range(3))
        share = 1 / len(targets)

        def compute(x: Array, y: Array) -> float:
            np.matmul(x, w, out=s)
            np.add(s, b, out=s)
            np.abs(s, out=e)
            np.negative(e, out=e)
            np.exp(e, out=e)
            np.maximum(s, 0.0, out=t)
            value = t.sum() - y.dot(s)
            np.log1p(e, out=t)
            value += t.sum()
            np.copyto(t, e)
            np.copyto(t, 1.0, where=s >= 0)
            np.add(e, 1.0, out=e)
            np.divide(t, e, out=t)
            np.subtract(t, y, out=t)
            np.multiply(t, share, out=t)
            np.matmul(t, x, out=gw)
            gb[0] = t.sum()
            return float(value) * share

        return compute

    def peer(xp: Any, tables: list[Any], batch: Any) -> Any:
        (w, b), (x, y) = tables, batch
        s = x @ w + b
        return xp.mean(xp.where(s > 0, s, 0.0) + xp.log1p(xp.exp(-xp.abs(s))) - y * s)

    def casadi(ca: Any, x: Any) -> Any:
        s = ca.mtimes(ca.DM(inputs), x[:-1]) + x[-1]
        return ca.sum1(ca.fmax(s, 0) + ca.log1p(ca.exp(-ca.fabs(s))) - ca.DM(targets) * s) / len(targets)

    made = {
        "ours": lambda: Ours(ours, start, [batch], optimizer()),
        "numpy": lambda: Hand(hand, start, [batch], optimizer()),
        **peers(peer, start, [batch], optimizer, "autograd"),
        "casadi": lambda: Casadi(casadi, np.concatenate(start), optimizer()),
    }
    return Row(f"logistic regression 569x30 ({source}), value and gradient", made, "numpy", 1.4)


def breast_cancer() -> tuple[Array, Array, str]:
    """scikit-learn's examples, standardized, or made-up ones of that size."""
    if installed("sklearn"):
        from sklearn.datasets import load_breast_cancer  # type: ignore[import-not-found,unused-ignore]

        x, y = load_breast_cancer(return_X_y=True)
        return (x - x.mean(0)) / x.std(0), y.astype(float), "breast cancer"
    x = CHANCE.normal(size=(569, 30))
    return x, (x @ CHANCE.normal(size=30) > 0).astype(float), "synthetic"


# --- Black-Scholes

OPTIONS = 100_000


def black_scholes() -> Row:
    spot, strike, time, interest, vol = (
        CHANCE.uniform(low, high, OPTIONS) for low, high in ((80, 120), (80, 120), (0.1, 2.0), (0.0, 0.05), (0.1, 0.6))
    )
    options = spot, strike, time, interest, vol
    made = {
        "ours": lambda: Outputs(compiled_options(), options),
        "numpy": lambda: Outputs(options_by_hand(OPTIONS), options),
        "torch": lambda: Outputs(torch_options(), tuple(map(torch_module().tensor, options))),
        "jax": lambda: Outputs(jax_options(), options),
    }
    return Row("Black-Scholes, price and 4 greeks, 100,000 options", made, "numpy", 1.01)


class Outputs:
    """A function called again and again; its outputs are compared."""

    def __init__(self, compute: Any, batch: tuple[Any, ...]) -> None:
        self.compute, self.batch = compute, batch

    def step(self) -> None:
        self.last = self.compute(*self.batch)

    def result(self) -> Array:
        return np.concatenate([np.asarray(column) for column in self.last])


def compiled_options() -> Any:
    def greeks(s: Any, k: Any, t: Any, r: Any, v: Any) -> Any:
        spread = v * t.sqrt()
        d1 = ((s / k).log() + (r + v * v / 2) * t) / spread
        below = [functions.erfc(d / -math.sqrt(2)) / 2 for d in (d1, d1 - spread)]
        price = s * below[0] - k * (-r * t).exp() * below[1]
        return price, *engine.grad(price, [s, t, r, v])

    return engine.compile(greeks)


def options_by_hand(count: int) -> Any:
    from scipy.special import ndtr

    root, d1, d2, below1, below2, discount, density, work = (np.empty(count) for _ in range(8))

    def compute(s: Array, k: Array, t: Array, r: Array, v: Array) -> tuple[Array, ...]:
        price, delta, theta, rho, vega = (np.empty(count) for _ in range(5))
        np.sqrt(t, out=root)
        np.multiply(v, root, out=work)
        np.divide(s, k, out=d1)
        np.log(d1, out=d1)
        np.multiply(v, v, out=d2)
        np.multiply(d2, 0.5, out=d2)
        np.add(d2, r, out=d2)
        np.multiply(d2, t, out=d2)
        np.add(d1, d2, out=d1)
        np.divide(d1, work, out=d1)
        np.subtract(d1, work, out=d2)
        ndtr(d1, out=below1)
        ndtr(d2, out=below2)
        np.multiply(r, t, out=discount)
        np.negative(discount, out=discount)
        np.exp(discount, out=discount)
        np.multiply(discount, k, out=discount)
        np.multiply(discount, below2, out=discount)  # k exp(-rt) N(d2)
        np.multiply(d1, d1, out=density)
        np.multiply(density, -0.5, out=density)
        np.exp(density, out=density)
        np.multiply(density, 1 / math.sqrt(2 * math.pi), out=density)
        np.multiply(s, below1, out=price)
        np.subtract(price, discount, out=price)
        np.copyto(delta, below1)
        np.multiply(s, density, out=vega)
        np.multiply(vega, v, out=theta)
        np.multiply(vega, root, out=vega)
        np.divide(theta, root, out=theta)
        np.multiply(theta, 0.5, out=theta)
        np.multiply(discount, r, out=work)
        np.add(theta, work, out=theta)  # dprice/dt, t being the time left
        np.multiply(discount, t, out=rho)
        return price, delta, theta, rho, vega

    return compute


def option_price(xp: Any, below: Any, s: Any, k: Any, t: Any, r: Any, v: Any) -> Any:
    spread = v * xp.sqrt(t)
    d1 = (xp.log(s / k) + (r + v * v / 2) * t) / spread
    return s * below(d1) - k * xp.exp(-r * t) * below(d1 - spread)


def torch_options() -> Any:
    torch = torch_module()

    def compute(s: Any, k: Any, t: Any, r: Any, v: Any) -> Any:
        wanted = [x.detach().requires_grad_() for x in (s, t, r, v)]
        price = option_price(torch, torch.special.ndtr, wanted[0], k, *wanted[1:])
        return price.detach(), *torch.autograd.grad(price.sum(), wanted)

    return compute


def jax_options() -> Any:
    jax = jax_module()

    def total(s: Any, k: Any, t: Any, r: Any, v: Any) -> Any:
        price = option_price(jax.numpy, jax.scipy.special.ndtr, s, k, t, r, v)
        return price.sum(), price

    both = jax.jit(jax.value_and_grad(total, argnums=(0, 2, 3, 4), has_aux=True))

    def compute(*options: Any) -> Any:
        (_, price), slopes = both(*options)
        return jax.block_until_ready((price, *slopes))

    return compute


# --- Lotka-Volterra: narrow and deep

STEPS, LENGTH = 200, 0.05


def lotka_volterra() -> Row:
    start = np.array([1.1, 0.4, 0.1, 0.4])
    optimizer = partial(Descent, 1e-6)

    def ours(p: Sequence[Any]) -> Any:
        return lambda: final_error(p, 10.0, 5.0)

    def peer(xp: Any, tables: list[Any], batch: Any) -> Any:
        [p] = tables
        if xp is not (jax_module().numpy if installed("jax") else None):
            return final_error(p, 10.0, 5.0)
        (x, y), _ = jax_module().lax.scan(lambda state, _: (runge_kutta(p, *state), None), (10.0, 5.0), length=STEPS)
        return (x - 1) ** 2 + (y - 1) ** 2

    def casadi(ca: Any, p: Any) -> Any:
        return final_error([p[k] for k in range(4)], 10.0, 5.0)

    made = {
        "ours": lambda: Ours(ours, [start], [()], optimizer()),
        "generated": lambda: Ours(ours, [start], [()], optimizer(), backend="python"),
        "python": lambda: Hand(lotka_by_hand, [start], [()], optimizer()),
        **peers(peer, [start], [()], optimizer, "autograd"),
        "casadi": lambda: Casadi(casadi, start, optimizer()),
    }
    return Row("Lotka-Volterra, RK4 x 200 steps, 4 parameters", made, "generated", 1.02)


def runge_kutta(p: Any, x: Any, y: Any) -> Any:
    """One step of Lotka and Volterra's equations."""

    def slope(x: Any, y: Any) -> Any:
        return p[0] * x - p[1] * x * y, p[2] * x * y - p[3] * y

    a, b = slope(x, y)
    c, d = slope(x + LENGTH / 2 * a, y + LENGTH / 2 * b)
    e, f = slope(x + LENGTH / 2 * c, y + LENGTH / 2 * d)
    g, h = slope(x + LENGTH * e, y + LENGTH * f)
    return x + LENGTH / 6 * (a + 2 * c + 2 * e + g), y + LENGTH / 6 * (b + 2 * d + 2 * f + h)


def final_error(p: Any, x: Any, y: Any) -> Any:
    for _ in range(STEPS):
        x, y = runge_kutta(p, x, y)
    return (x - 1) ** 2 + (y - 1) ** 2


def lotka_by_hand(tables: list[Array], slopes: list[Array]) -> Any:
    """The adjoint equations in plain Python: stages are kept on the way forward."""
    sixth, third, half = LENGTH / 6, LENGTH / 3, LENGTH / 2

    def compute() -> float:
        p0, p1, p2, p3 = tables[0].tolist()
        x, y = 10.0, 5.0
        kept = []
        for _ in range(STEPS):
            a, b = x * (p0 - p1 * y), y * (p2 * x - p3)
            x1, y1 = x + half * a, y + half * b
            c, d = x1 * (p0 - p1 * y1), y1 * (p2 * x1 - p3)
            x2, y2 = x + half * c, y + half * d
            e, f = x2 * (p0 - p1 * y2), y2 * (p2 * x2 - p3)
            x3, y3 = x + LENGTH * e, y + LENGTH * f
            kept.append(((x3, y3, LENGTH, sixth), (x2, y2, half, third), (x1, y1, half, third), (x, y, 0.0, sixth)))
            x += sixth * (a + 2 * (c + e) + x3 * (p0 - p1 * y3))
            y += sixth * (b + 2 * (d + f) + y3 * (p2 * x3 - p3))
        value = (x - 1) ** 2 + (y - 1) ** 2
        u, v = 2 * (x - 1), 2 * (y - 1)
        g0 = g1 = g2 = g3 = 0.0
        for stages in reversed(kept):
            back_x = back_y = 0.0  # of the stage after, times how far it stepped
            step, sum_x, sum_y = 0.0, u, v
            for x, y, next_step, share in stages:
                s, t = share * u + step * back_x, share * v + step * back_y
                g0 += s * x
                g1 -= s * x * y
                g2 += t * x * y
                g3 -= t * y
                back_x, back_y = s * (p0 - p1 * y) + t * p2 * y, t * (p2 * x - p3) - s * p1 * x
                sum_x += back_x
                sum_y += back_y
                step = next_step
            u, v = sum_x, sum_y
        slopes[0][:] = g0, g1, g2, g3
        return float(value)

    return compute
