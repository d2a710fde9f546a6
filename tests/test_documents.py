"""What follows from the code is kept equal to it: the type stub, the README's lists, the demos, what `import` loads."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import regenerate

import engine
import nn
import viz

ROOT = Path(__file__).parent.parent


def test_generated_files_are_up_to_date() -> None:
    assert regenerate.STUB.read_text() == regenerate.stub(), "run python tests/regenerate.py"
    assert regenerate.README.read_text() == regenerate.readme(), "run python tests/regenerate.py"


def test_the_readme_has_two_commands() -> None:
    text = (ROOT / "README.md").read_text()
    assert re.findall(r"<!-- command: (\w+) -->\n```sh\n(.*)\n```", text) == [
        ("run", "python3 -m venv .venv && .venv/bin/pip install -q -e '.[viz]' && .venv/bin/python demos/xor.py"),
        (
            "test",
            "python3 -m venv .venv && .venv/bin/pip install -q -e '.[test]' && .venv/bin/python -m pytest -n auto",
        ),
    ]
    for path in re.findall(r"`((?:demos|tests|engine)/[\w./]+)`|\]\((\w[\w./]+)\)", text):
        assert (ROOT / "".join(path)).exists(), path


def test_public_names() -> None:
    assert set(engine.__all__) == {
        "OPS", "AnomalyError", "Compiled", "GradientError", "GradientReport", "GradientWarning", "Op", "Trace",
        "TracingError", "Value", "assert_gradients", "check_gradients", "compile", "constant", "detect_anomaly",
        "differentiate", "drawing_from", "enable_grad", "functions", "grad", "hessian", "hvp", "jacobian", "jvp",
        "label", "no_grad", "random_input", "record_source", "value_and_grad", "vjp",
    }  # fmt: skip
    assert set(nn.__all__) == {
        "MLP", "SGD", "Activation", "Adagrad", "Adam", "AdamW", "Alphabet", "AvgPool2D", "BatchNorm", "Callback",
        "CausalSelfAttention", "Cell", "Checkpoint", "Constant", "Conv2D", "CosineDecay", "Dense", "Dropout",
        "EarlyStopping", "Embedding", "ExponentialDecay", "Flatten", "GRUCell", "History", "LSTMCell", "Lambda",
        "Layer", "LayerNorm", "LinearWarmup", "MaxPool2D", "Module", "Neuron", "Optimizer", "PositionEmbedding",
        "RMSNorm", "RMSprop", "RNNCell", "Recurrent", "ReduceOnPlateau", "Residual", "Sequential", "Standardizer",
        "StepDecay", "StopWhen", "TimeDistributed", "Training", "TransformerBlock", "augment", "batches",
        "binary_crossentropy", "categorical_crossentropy", "circles", "clip_by_norm", "clip_by_value", "digits",
        "element_names", "evaluate", "export_onnx", "fit", "hinge", "huber", "initializers", "kl_divergence", "l1",
        "l2", "load", "losses", "mae", "metrics", "mnist", "moons", "mse", "one_hot", "predict", "read_idx", "save",
        "schedules", "sparse_categorical_crossentropy", "spirals", "split", "squared_hinge", "to_torch_state_dict",
        "xor",
    }  # fmt: skip
    assert set(viz.__all__) == {"Diagram", "Page", "card", "debug", "draw", "page", "plots", "steps", "tree"}
    for module in (engine, nn, viz):
        assert all(hasattr(module, name) for name in module.__all__)


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_import_engine_needs_the_standard_library_alone() -> None:
    listing = "import sys; before = set(sys.modules); import engine; print(*sorted(set(sys.modules) - before))"
    loaded = {name.partition(".")[0] for name in run(listing).split()}
    assert "engine" in loaded
    assert not loaded - {"engine"} - set(sys.stdlib_module_names)
    assert not loaded & {"typing", "dataclasses", "inspect", "ast", "linecache", "asyncio", "threading"}


def test_the_checker_demo_catches_all_five() -> None:
    demo = ROOT / "demos" / "check_your_gradients.py"
    done = subprocess.run([sys.executable, str(demo)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    parts = re.split(r"^\d\. ", done.stdout, flags=re.MULTILINE)[1:]
    hints = [
        "claimed/numerical = 1/2: a factor 2 is missing",
        "right without it for cross-entropy",
        "its sum over axis 1 agrees: the gradient is not summed over the batch",
        "the claimed gradient is of shape (1, 3), the input is of shape (3, 1)",
        "claimed/numerical is constant along each row",
    ]
    assert len(parts) == 5
    for part, hint in zip(parts, hints, strict=True):
        assert "gradient check FAILED" in part
        assert hint in part
        assert "corrected: gradient check passed" in part


@pytest.mark.parametrize("name", ["xor", "neuron"])
def test_demos_succeed(name: str, tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "demos" / f"{name}.py"), "--output", "picture.svg"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "<svg" in (tmp_path / "picture.svg").read_text()
    said = {"xor": ["XOR is solved.", "All gradients agree.", "picture.svg"], "neuron": ["agree.", "0.500000"]}
    assert all(text in done.stdout for text in said[name])


def test_the_gallery_is_made_and_shown(tmp_path: Path) -> None:
    runs = []
    drawn = ["neuron.svg", "network.svg", "layers.svg", "steps.html"]
    for folder, seed, pictures in (("one", "1", []), ("other", "2", drawn)):  # the others train: ten seconds
        command = [sys.executable, "-W", "error", str(ROOT / "demos" / "gallery.py"), "--output", folder, *pictures]
        environment = {**os.environ, "PYTHONHASHSEED": seed, "MPLCONFIGDIR": str(tmp_path)}
        runs.append(subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE))
    for process in runs:
        errors = process.communicate()[1].decode()
        assert process.returncode == 0, errors
    made, again = ({path.name: path.read_bytes() for path in (tmp_path / run).iterdir()} for run in ("one", "other"))
    assert again == {name: made[name] for name in drawn}
    committed = {path.name: path.stat().st_size for path in (ROOT / "demos" / "gallery").iterdir()}
    shown = re.findall(r"\[.+?\]\(demos/gallery/(\S+?)\)", (ROOT / "README.md").read_text())
    assert made.keys() | {"page.png"} == committed.keys() == set(shown)
    assert all(b"<svg" in picture for name, picture in made.items() if name != "page.png")
    assert max(committed.values()) < 150_000
    for name in drawn:
        stored = (ROOT / "demos" / "gallery" / name).read_text(encoding="utf-8")
        assert words(stored) == words(made[name].decode()), f"run python demos/gallery.py --output demos/gallery {name}"


def words(picture: str) -> list[str]:
    """What a picture says, whatever Graphviz laid it out, and the page around it; exact numbers are the machine's."""
    svgs = re.findall(r"<svg.*?</svg>", picture, re.DOTALL)
    said = sorted(text for svg in svgs for text in re.findall(r">([^<>]+)</text>", svg))
    around = re.sub(r"<svg.*?</svg>|<script type.*?</script>", "", picture, flags=re.DOTALL)
    return [*said, around if "<html" in picture else ""]


def test_a_demo_that_fails_says_so(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "demos" / "xor.py"), "--steps"]
    short = subprocess.run([*command, "5"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert short.returncode == 1
    assert "XOR is not solved: try more steps" in short.stdout
    wrong = subprocess.run([*command, "0"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert wrong.returncode == 2
    assert "--steps must be at least 1; got 0" in wrong.stderr
