"""What holds the house together: imports run one way, and everything resolves inside the repository."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

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
        "for args in (['--help'], ['presets', '--json'], ['run', 'a cat', '--preset', 'nope']):\n"
        "    with contextlib.suppress(Exception, SystemExit): app(args, standalone_mode=False)\n"
        f"print('HEAVY', sorted({HEAVY!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip().endswith("HEAVY []")
