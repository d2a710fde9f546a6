"""The compiler: plain scalar Python over `Value`s, recorded once, run on whole batches."""

from engine.compiler.compiled import Compiled, compile
from engine.compiler.randomness import drawing_from, random_input
from engine.tracing import TracingError

__all__ = ["Compiled", "TracingError", "compile", "drawing_from", "random_input"]
