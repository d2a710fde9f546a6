"""Recording modes: `no_grad`, `record_source` and `detect_anomaly`.

A mode belongs to the thread or async task that entered it: a context variable holds the chain of frames that were
entered there. Leaving closes that very frame, wherever it lies by then (generators may leave in another order than they
entered, or in another thread), and only open frames count. While none that concerns them is open in any thread,
generated operators test one plain flag and nothing else.
"""

from __future__ import annotations

from _thread import allocate_lock
from contextvars import ContextVar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator
    from typing import Any, ParamSpec, TypeVar

    M = TypeVar("M", bound="Mode")
    P = ParamSpec("P")
    R = TypeVar("R")


class _Frame:
    """One entry into a mode, on top of those before it in the same context; closed when it is left."""

    __slots__ = ("before", "is_open", "mode")

    def __init__(self, mode: Mode, before: _Frame | None) -> None:
        self.mode, self.before, self.is_open = mode, before, True


_top: ContextVar[_Frame | None] = ContextVar("glassgrad modes", default=None)
_lock = allocate_lock()
_entered = {False: 0, True: 0}  # modes, and those that operators must know of
_always: frozenset[str] = frozenset()
_namespaces: list[tuple[dict[str, object], bool]] = []

_GENERATOR, _COROUTINE, _ASYNC_GENERATOR = 0x20, 0x80, 0x200  # flags of code objects


def attach(namespace: dict[str, object], operators: bool = False) -> None:
    """Keep `namespace["modes_active"]` telling whether any thread is in a mode, or in one that concerns `operators`."""
    _namespaces.append((namespace, operators))
    namespace["modes_active"] = _entered[operators] > 0


def active() -> frozenset[str]:
    """The names of the modes that hold here: in this thread, in this task."""
    frame, frames = _top.get(), []
    if frame is None:
        return _always
    while frame:
        if frame.is_open:
            frames.append(frame.mode)
        frame = frame.before
    names = _always
    for mode in reversed(frames):
        names = names - mode._removes | mode._adds
    return names


def innermost(kind: type[M]) -> M | None:
    """The mode of that kind that was entered here last and is still open."""
    frame = _top.get()
    while frame:
        if frame.is_open and isinstance(frame.mode, kind):
            return frame.mode
        frame = frame.before
    return None


def _count(change: int, concerns_operators: bool = True) -> None:
    with _lock:
        _entered[False] += change
        _entered[True] += change * concerns_operators
        for namespace, operators in _namespaces:
            namespace["modes_active"] = _entered[operators] > 0


class Mode:
    """A context manager and decorator that changes what operators record."""

    _frames: list[_Frame]
    _concerns_operators = True  # else they do as they do without it, in full speed
    _adds: frozenset[str] = frozenset()
    _removes: frozenset[str] = frozenset()

    def __new__(cls, function: Callable[..., Any] | None = None) -> Any:
        """`@no_grad` without brackets decorates as well."""
        mode = super().__new__(cls)
        mode._frames = []
        return mode if function is None else mode(function)

    def __enter__(self) -> None:
        frame = _Frame(self, _top.get())
        self._frames.append(frame)
        _top.set(frame)
        _count(+1, self._concerns_operators)

    def __exit__(self, *error: object) -> None:
        """Close the frame that was opened here; in whatever order and context a generator lets us come to it."""
        frame = _top.get()
        while frame and not (frame.mode is self and frame.is_open):
            frame = frame.before
        frame = frame or self._frames[-1]  # opened in another context
        self._frames.remove(frame)
        frame.is_open = False
        top = _top.get()
        while top and not top.is_open:
            top = top.before
        _top.set(top)
        _count(-1, self._concerns_operators)

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
                return (yield from _resume_inside(mode, function(*args, **kwargs)))  # type: ignore[arg-type, return-value]

        else:

            def run(*args: P.args, **kwargs: P.kwargs) -> object:  # type: ignore[misc]  # the same
                with mode():
                    result = function(*args, **kwargs)
                # a partial of a coroutine function, or an object that is called asynchronously
                return _await_inside(mode, result) if hasattr(result, "__await__") else result

        return wraps(function)(run)  # type: ignore[return-value]  # run has function's signature


async def _await_inside(mode: type[Mode], awaitable: Awaitable[R]) -> R:
    with mode():
        return await awaitable


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

    _concerns_operators = False  # what it removes does
    _removes = frozenset({"no_grad"})


class record_source(Mode):
    """Let each node remember the file and line that made it, in `node.source`.

    >>> from engine import Value, record_source
    >>> with record_source():
    ...     y = Value(2.0) * 3
    >>> file, line = y.source
    """

    _adds = frozenset({"record_source"})

    @staticmethod
    def always(on: bool = True) -> None:
        """Record from now on, in every thread, or no longer: at a prompt no block surrounds the session.

        `import viz` switches it on at an interactive prompt. Making a node takes 2 to 3 times as long with it.

        >>> from engine import Value, record_source
        >>> record_source.always()
        >>> (Value(2.0) * 3).source is None
        False
        >>> record_source.always(False)
        """
        global _always
        wanted = frozenset({"record_source"}) if on else frozenset()
        if wanted != _always:
            _always = wanted
            _count(+1 if on else -1)


class detect_anomaly(Mode):
    """Raise `AnomalyError` where the first nan or inf appears: when a node is made, or in `backward()`.

    The message names the node, its operands and the line that made it. An inf that came in as an operand may go
    through (a mask of -inf is one); a nan never does.

    >>> from engine import Value, detect_anomaly
    >>> with detect_anomaly():
    ...     (Value(-1.0, label="x")).log()   # doctest: +ELLIPSIS
    Traceback (most recent call last):
    engine.anomaly.AnomalyError: log gave nan...
    """

    _adds = frozenset({"detect_anomaly", "record_source"})
