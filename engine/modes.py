"""Recording modes: `no_grad`, `record_source` and `detect_anomaly`.

A mode belongs to the thread or async task that entered it: it lives in a context variable, as a chain of frames
`(modes, frame before)`, so leaving restores what was there, whatever happened inside and however modes nest. While no
mode is active in any thread, generated operators test one plain flag and nothing else.
"""

from __future__ import annotations

from _thread import allocate_lock
from contextvars import ContextVar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import TracebackType
    from typing import ParamSpec, TypeVar

    P = ParamSpec("P")
    R = TypeVar("R")
    Frame = tuple[frozenset[str], "Frame | None"]

_frame: ContextVar[Frame | None] = ContextVar("glassgrad modes", default=None)
_lock = allocate_lock()
_entered = 0
_namespaces: list[dict[str, object]] = []

_GENERATOR, _COROUTINE, _ASYNC_GENERATOR = 0x20, 0x80, 0x200  # flags of code objects


def attach(namespace: dict[str, object]) -> None:
    """Keep `namespace["modes_active"]` telling whether any thread is in a mode."""
    _namespaces.append(namespace)
    namespace["modes_active"] = _entered > 0


def active() -> frozenset[str]:
    """The names of the modes that hold here: in this thread, in this task."""
    frame = _frame.get()
    return frame[0] if frame else frozenset()


def _count(change: int) -> None:
    global _entered
    with _lock:
        _entered += change
        for namespace in _namespaces:
            namespace["modes_active"] = _entered > 0


class Mode:
    """A context manager and decorator that changes what operators record."""

    _adds: frozenset[str] = frozenset()
    _removes: frozenset[str] = frozenset()

    def __enter__(self) -> None:
        before = _frame.get()
        _frame.set((active() - self._removes | self._adds, before))
        _count(+1)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        frame = _frame.get()
        if frame:  # a generator may be closed in another context than it entered in: that one is over
            _frame.set(frame[1])
        _count(-1)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorate a function: it runs in this mode; a coroutine or generator whenever it runs, not its caller."""
        mode = type(self)
        flags = getattr(getattr(function, "__code__", None), "co_flags", 0)
        if flags & _ASYNC_GENERATOR:
            raise TypeError(
                f"{mode.__name__} cannot decorate an async generator; got {function!r}; "
                "write a `with` block around the part that computes"
            )
        from functools import wraps

        if flags & _COROUTINE:

            async def run(*args: P.args, **kwargs: P.kwargs) -> object:
                with mode():
                    return await function(*args, **kwargs)  # type: ignore[misc]  # its code object says coroutine

        elif flags & _GENERATOR:

            def run(*args: P.args, **kwargs: P.kwargs) -> object:  # type: ignore[misc]  # three shapes of one wrapper
                return _resume_inside(mode, function(*args, **kwargs))  # type: ignore[arg-type]

        else:

            def run(*args: P.args, **kwargs: P.kwargs) -> object:  # type: ignore[misc]  # the same
                with mode():
                    return function(*args, **kwargs)

        return wraps(function)(run)  # type: ignore[return-value]  # run has function's signature


def _resume_inside(mode: type[Mode], generator: Generator[object, object, object]) -> Generator[object, object, object]:
    """Drive a generator so that its own code runs in the mode, and the code between two of its values does not."""
    resume, argument = generator.send, None
    try:
        while True:
            try:
                with mode():
                    value = resume(argument)
            except StopIteration as stop:
                return stop.value
            try:
                argument, resume = (yield value), generator.send
            except GeneratorExit:
                raise
            except BaseException as error:  # thrown in by the caller: it belongs inside
                argument, resume = error, generator.throw  # type: ignore[assignment]
    finally:
        with mode():
            generator.close()


class no_grad(Mode):  # a lower-case name, as torch's: it reads as a statement
    """Compute without recording: results are constants, without parents and without gradient.

    Exception-safe, nestable, a decorator as well, and confined to the thread or async task that enters it.

    >>> from engine import Value, no_grad
    >>> with no_grad():
    ...     y = Value(2.0) * 3
    >>> y
    Value(6.0, constant)
    """

    _adds = frozenset({"no_grad"})


class enable_grad(Mode):
    """Record again inside a `no_grad` block.

    >>> from engine import Value, no_grad, enable_grad
    >>> with no_grad(), enable_grad():
    ...     (Value(2.0) * 3).op.name
    'mul'
    """

    _removes = frozenset({"no_grad"})


class record_source(Mode):
    """Let each node remember the file and line that made it, in `node.source`.

    >>> from engine import Value, record_source
    >>> with record_source():
    ...     y = Value(2.0) * 3
    >>> file, line = y.source
    """

    _adds = frozenset({"record_source"})


class detect_anomaly(Mode):
    """Raise `AnomalyError` where the first nan or inf appears: when a node is made, or in `backward()`.

    The message names the node, its operands and the line that made it. An inf that came in as an operand may go
    through (a mask of -inf is one); a nan never does.

    >>> from engine import Value, detect_anomaly
    >>> with detect_anomaly():
    ...     (Value(-1.0, label="x")).log()   # doctest: +ELLIPSIS
    Traceback (most recent call last):
    engine.value.AnomalyError: log gave nan...
    """

    _adds = frozenset({"detect_anomaly", "record_source"})
