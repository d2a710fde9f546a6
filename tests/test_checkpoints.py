"""Checkpoints: a resumed run is the run that was never interrupted, and a file is always complete."""

from __future__ import annotations

import json
import math
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from training_runs import MODELS, numbers, trained

import nn
from engine import Value, functions


@pytest.mark.parametrize("backend", ["numpy", "python", None])
@pytest.mark.parametrize("name", ["perceptron", "both"])
def test_a_resumed_run_is_the_uninterrupted_one(name: str, backend: str | None, tmp_path: Path) -> None:
    """Bit for bit: numbers, running statistics, history, optimizer and the patience of early stopping."""
    options: dict[str, Any] = {"compile": False} if backend is None else {"backend": backend}
    rate = partial(nn.ReduceOnPlateau, 0.1, factor=0.5, patience=0)
    model, parted = MODELS[name](), MODELS[name]()
    stopping = partial(nn.EarlyStopping, "val_accuracy", patience=4)
    true = trained(model, epochs=9, optimizer=nn.Adam(rate()), callbacks=[stopping()], **options)

    def interrupt(training: nn.Training) -> None:
        if training.epoch == 3:
            raise RuntimeError("the power is gone")

    for stop in (interrupt, lambda training: None):
        parted = MODELS[name]()
        callbacks = [nn.Checkpoint(tmp_path / "run"), stopping(), stop]
        try:
            found = trained(parted, epochs=9, optimizer=nn.Adam(rate()), callbacks=callbacks, **options)
        except RuntimeError:
            continue
    assert found.history == true.history
    assert found.stopped == true.stopped
    assert numbers(parted) == numbers(model)


OTHER_RUNS: dict[str, tuple[Callable[[], nn.Module], dict[str, Any], str]] = {
    "model": (lambda: nn.MLP(2, [6, 3], "tanh", seed=0), {}, "got model 'MLP.*5 tanh.*', this run has 'MLP.*6 tanh"),
    "optimizer": (MODELS["perceptron"], {"optimizer": nn.SGD(0.1)}, "got optimizer 'Adam', this run has 'SGD'"),
    "seed": (MODELS["perceptron"], {"seed": 4}, "got seed 3, this run has 4; train alike"),
    "callbacks": (MODELS["perceptron"], {"more": [nn.EarlyStopping()]}, r"callbacks \['Checkpoint'\], this run has"),
}


@pytest.mark.parametrize(("make", "options", "message"), OTHER_RUNS.values(), ids=OTHER_RUNS)
def test_checkpoints_of_other_runs(
    make: Callable[[], nn.Module], options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "run"
    trained(MODELS["perceptron"](), callbacks=[nn.Checkpoint(path)])
    model = make()
    before = numbers(model)
    callbacks = [nn.Checkpoint(path), *options.pop("more", [])]
    with pytest.raises(ValueError, match=message):
        trained(model, callbacks=callbacks, **options)
    assert numbers(model) == before
    trained(make(), callbacks=[nn.Checkpoint(path, resume=False)])


def test_a_run_that_is_over_has_nothing_to_do(tmp_path: Path) -> None:
    path = tmp_path / "run"
    one, other = MODELS["perceptron"](), MODELS["perceptron"]()
    first = trained(one, callbacks=[nn.Checkpoint(path)])
    assert trained(other, callbacks=[nn.Checkpoint(path)]).history == first.history
    assert numbers(one) == numbers(other)
    assert trained(other, epochs=6, callbacks=[nn.Checkpoint(path)]).epochs == 6


def test_functions_are_known_by_their_names(tmp_path: Path) -> None:
    """Not by where they lie in memory, which is elsewhere in the next process."""
    for _ in range(2):
        model = nn.Sequential(
            [nn.Dense(2, 3, partial(Value.leaky_relu, slope=0.2), seed=0), partial(functions.softmax)]
        )
        trained(model, callbacks=[nn.Checkpoint(tmp_path / "run")])
    assert repr(model) == "Sequential(Layer(2 -> 3, leaky_relu), Lambda(softmax))"


@pytest.mark.parametrize(("rate", "last"), [(1e200, 3), (1e308, 2)])
def test_nan_leaves_the_last_good_checkpoint(rate: float, last: int, tmp_path: Path) -> None:
    path, optimizer = tmp_path / "run", nn.SGD(lambda step: 0.01 if step < 2 else rate)
    with pytest.warns(RuntimeWarning, match="nan"):
        nn.fit(nn.MLP(1, [1], seed=0), [[5.0]], [[9.0]], optimizer=optimizer, epochs=9, callbacks=[nn.Checkpoint(path)])
    arrays, notes = nn.array_files.load_arrays(path)
    assert notes["epoch"] == last
    assert not notes["stopped"]
    assert all(map(math.isfinite, arrays["numbers"]))


def test_models_and_checkpoints_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "file"
    nn.save(MODELS["perceptron"](), path)
    with pytest.raises(ValueError, match="file is no checkpoint; got none of its notes; give another path"):
        trained(MODELS["perceptron"](), callbacks=[nn.Checkpoint(path)])
    trained(MODELS["perceptron"](), callbacks=[nn.Checkpoint(path, resume=False)])
    for model in (None, MODELS["perceptron"]()):
        with pytest.raises(
            ValueError, match="file is a checkpoint, not a model; got a run of 4 epochs; go on with it by"
        ):
            nn.load(path, model)


def test_a_folder_that_is_missing_is_told_before_training(tmp_path: Path) -> None:
    begun: list[nn.Training] = []
    with pytest.raises(FileNotFoundError, match="a checkpoint needs its folder; got none at .*none'; make it first"):
        trained(MODELS["perceptron"](), callbacks=[begun.append, nn.Checkpoint(tmp_path / "none" / "run")])
    assert not begun


def test_settings_are_whole_numbers(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the epochs between two checkpoints must be a whole number; got 0; use 1 or"):
        nn.Checkpoint(tmp_path / "run", every=0)
    with pytest.raises(ValueError, match="patience must be a whole number; got -1; use 0 or more"):
        nn.EarlyStopping(patience=-1)


KILLS = int(os.environ.get("GLASSGRAD_KILLS", "5"))

RUN = """
import json, sys
import nn
from training_runs import MODELS, numbers, trained
model = MODELS["both"]()
history = trained(model, epochs=int(sys.argv[2]), callbacks=[nn.Checkpoint(sys.argv[1])], backend="python")
print(json.dumps([numbers(model), history.history]))
"""


@pytest.mark.skipif(os.name != "posix", reason="kills processes")
def test_killed_at_any_moment(tmp_path: Path) -> None:
    """Also while a checkpoint is written: the newest complete one loads, and leads to the same numbers."""
    path, epochs, chance = tmp_path / "run", "2000", random.Random(0)
    here = Path(__file__).parent
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(here), str(here.parent)])}
    command = [sys.executable, "-c", RUN, str(path), epochs]
    kills = 0
    while kills < KILLS:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
        moved = path.stat().st_mtime_ns if path.exists() else 0
        while process.poll() is None and (path.stat().st_mtime_ns if path.exists() else 0) == moved:
            time.sleep(0.001)
        time.sleep(chance.uniform(0.0, 0.05))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        kills += 1
    _, notes = nn.array_files.load_arrays(path)
    assert 1 < notes["epoch"] < int(epochs)
    goes_on = json.loads(
        subprocess.run(
            [*command[:-1], str(notes["epoch"] + 3)], env=environment, stdout=subprocess.PIPE, check=True
        ).stdout
    )
    model = MODELS["both"]()
    true = trained(model, epochs=notes["epoch"] + 3, backend="python")
    assert goes_on == [numbers(model), true.history]
