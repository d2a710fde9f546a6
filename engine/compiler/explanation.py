"""What the compiler did with a function, in words: what became matrices, what is gathered, and why."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.compiler.instructions import ArrayProgram
    from engine.compiler.plan import Plan


def explain(plan: Plan, size: int) -> str:
    """For batches of that size."""
    return "\n".join(_sentences(plan, size))


def _sentences(plan: Plan, size: int) -> Iterator[str]:
    made, costs = plan.recording, plan.costs
    scalars, backend = made.scalars, plan.backend(size)
    yield (
        f"{plan.settings.name}: {len(scalars)} scalars, of them {scalars.inputs} inputs and {len(scalars.parameters)} "
        f"parameters; {len(made.forms.nodes) - scalars.inputs - len(scalars.parameters)} remain in linear forms."
    )
    yield (
        f"A batch of {size}: about {costs.python(size):.0f} us in Python, {costs.arrays(size):.0f} us in arrays "
        f"({costs.instructions} groups); {'chosen' if plan.settings.backend == 'auto' else 'asked for'}: {backend}."
    )
    if backend == "numpy":
        yield from _about_arrays(plan.array_program())


def _about_arrays(program: ArrayProgram) -> Iterator[str]:
    from engine.compiler.listing import Listing

    listing = Listing(program)
    lines = list(listing.forward())
    matrices = [line for made, line in zip(program.instructions, lines, strict=False) if made.kind == "matrix"]
    yield f"{len(program.instructions)} instructions, {len(matrices)} of them matrix products:"
    yield from (f"  {line}" for line in matrices)
    ragged = [line for made, line in zip(program.instructions, lines, strict=False) if made.starts is not None]
    if ragged:
        yield "Rows of unequal length, each in one instruction:"
        yield from (f"  {line}" for line in ragged)
    gathered = [line for line in lines if "take(" in line]
    if gathered:
        yield "Gathered first, because their places have no even step (what else reads them decided their order):"
        yield from (f"  {line}" for line in gathered)
