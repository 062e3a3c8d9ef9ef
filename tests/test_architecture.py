"""The rules of the layout: imports run one way and in no circle, and everything resolves inside the repository."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
import tomllib
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from setuptools import find_namespace_packages

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {
    "models": {"models"},
    "pipeline": {"models", "pipeline"},
    "ui": {"models", "pipeline", "ui"},
    "scripts": {"models", "pipeline", "ui", "scripts"},
}
HEAVY = {"torch", "transformers", "diffusers", "open_clip", "gradio", "peft", "timm"}


def imports(file: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("package", sorted(MAY_IMPORT))
def test_imports_run_one_way(package: str) -> None:
    for file in (ROOT / package).rglob("*.py"):
        ours = {name.split(".")[0] for name in imports(file)} & set(MAY_IMPORT)
        assert ours <= MAY_IMPORT[package], f"{file.relative_to(ROOT)} imports {ours - MAY_IMPORT[package]}"


def modules() -> dict[str, Path]:
    """Every module of ours by its dotted name."""
    files = [file for package in MAY_IMPORT for file in (ROOT / package).rglob("*.py")]
    dotted = {".".join(file.relative_to(ROOT).with_suffix("").parts): file for file in files}
    return {name.removesuffix(".__init__"): file for name, file in dotted.items()}


def test_no_module_imports_itself_by_way_of_others() -> None:
    ours = modules()
    graph = {
        name: {part for found in imports(file) for part in (found, found.rpartition(".")[0]) if part in ours}
        - {name}
        for name, file in ours.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"modules import each other in a circle: {' → '.join(error.args[1])}")


def test_the_core_knows_no_one_model() -> None:
    for file in (ROOT / "pipeline").rglob("*.py"):
        assert not [name for name in imports(file) if name.startswith("models.mini")], file


def test_what_only_trains_and_examines_is_not_installed() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]
    found = set(find_namespace_packages(str(ROOT), settings["exclude"], settings["include"]))
    assert {
        "pipeline.reading",
        "pipeline.store.migrations.versions",
        "models.mini",
        "scripts.commands",
    } <= found
    assert not [name for name in found if name.startswith(("models.mini.dataset", "scripts.training"))]


@pytest.mark.parametrize("package", [*sorted(MAY_IMPORT), "configs"])
def test_packages_resolve_inside_the_repository(package: str) -> None:
    assert Path(importlib.import_module(package).__file__ or "").parent == ROOT / package


def test_nothing_shadows_our_pipeline() -> None:
    for file in ROOT.glob("[mpsuc]*/**/*.py"):
        assert "transformers.pipeline" not in imports(file)


def test_weights_are_safetensors_and_small() -> None:
    folder = ROOT / "models/mini"
    assert not [
        p for p in folder.rglob("*") if p.suffix in {".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"}
    ]
    assert sum(p.stat().st_size for p in folder.rglob("*.safetensors")) <= 60e6


def test_help_and_config_errors_load_no_heavy_library() -> None:
    code = (
        "import sys, contextlib\n"
        "from scripts.easel import app\n"
        "for args in (['--help'], ['run', 'a cat', '--preset', 'nope']):\n"
        "    with contextlib.suppress(Exception, SystemExit): app(args, standalone_mode=False)\n"
        f"print('HEAVY', sorted({HEAVY!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip().endswith("HEAVY []")


def test_the_app_opens_presets_by_name_only() -> None:
    """What a client names goes through ui/presets.py."""
    forbidden = {"pipeline.config.load_preset", "pipeline.config.available"}
    users = [file.name for file in (ROOT / "ui").glob("*.py") if forbidden & imports(file)]
    assert users == ["presets.py"]


def test_no_weights_bring_code() -> None:
    """Every call of transformers and diffusers that reads a repository says that its code is not run."""
    without = {"PeftModel", "GenerationConfig", "open_clip"}  # these never run any
    for file in (ROOT / "models").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            if node.func.attr != "from_pretrained" or ast.unparse(node.func.value) in without:
                continue
            said = {word.arg: ast.unparse(word.value) for word in node.keywords}
            assert said.get("trust_remote_code") == "False", f"{file.relative_to(ROOT)}:{node.lineno}"
