"""The compiler: plain scalar Python over `Value`s, recorded once, run on whole batches."""

from engine.compiler.compiled import Compiled, compile
from engine.compiler.recording import random_input
from engine.tracing import TracingError

__all__ = ["Compiled", "TracingError", "compile", "random_input"]
