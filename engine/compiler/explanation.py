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
        yield from _about_parts(plan, size)
        yield from _about_memory(plan)
        yield from _about_arrays(plan.array_program())


def _about_parts(plan: Plan, size: int) -> Iterator[str]:
    from engine.compiler.array_parts import part_of

    part = part_of(plan.array_program(), size, plan.settings.dtype, gradients=False)
    if part < size:
        yield f"The batch runs in parts of {part} examples, whose numbers stay in the processor's cache."


def _about_memory(plan: Plan) -> Iterator[str]:
    from engine.compiler.array_runner import Run

    run = plan.latest
    if isinstance(run, Run):
        used, apart = len(run.working_memory) // 1024 + 1, run.bytes_apart // 1024 + 1
        yield f"What is computed takes {used} KB; {apart} KB, if what is no longer needed made no room."


def _about_arrays(program: ArrayProgram) -> Iterator[str]:
    from engine.compiler.listing import Listing

    listing = Listing(program)
    lines = list(zip(program.instructions, listing.forward(), strict=False))
    matrices = [f"  {line}" for made, line in lines if made.kind in ("matrix", "stack")]
    yield f"{len(program.instructions)} instructions, {len(matrices)} of them matrix products:"
    yield from matrices
    if program.apart:
        yield f"Groups of few results computed apart, where their operands lie, rather than gathered: {program.apart}."
    sections = (
        ("Rows of unequal length, each in one instruction:", [made.starts is not None for made, _ in lines]),
        (
            "Gathered first, because no even steps lead to them (what else reads them decided their order):",
            [listing.gathers(made) for made, _ in lines],
        ),
    )
    for title, chosen in sections:
        if any(chosen):
            yield title
            yield from (f"  {line}" for (_, line), is_chosen in zip(lines, chosen, strict=True) if is_chosen)
