"""Whether memory and files of the app grow: runs many jobs and prints sizes on the way.

python -m scripts.benches.growth --jobs 200
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import httpx
import psutil
import typer
from gradio_client import Client

from pipeline.work.task import residents

ROOT = Path(__file__).parents[2]
BRIEF = "a panda on a purple background, cartoon style"


def main(
    jobs: Annotated[int, typer.Option(help="how many jobs to run")] = 200,
    every: Annotated[int, typer.Option(help="print sizes after so many jobs")] = 20,
    port: Annotated[int, typer.Option(help="port of the app")] = 7899,
) -> None:
    """Print the memory of app and worker, the number of other files, and the size of the database as jobs are done."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        command = [sys.executable, "-m", "scripts.easel", "ui", "--out", str(out), "--port", str(port)]
        app = subprocess.Popen(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)})
        try:
            client = Client(_up(f"http://127.0.0.1:{port}"), verbose=False)
            print("jobs  app MB  worker MB  other files  database MB", flush=True)
            for done in range(0, jobs, every):
                ids = [
                    client.predict(BRIEF, seed=done + i, images=1, api_name="/submit")["id"]
                    for i in range(min(every, jobs - done))
                ]
                while any(
                    client.predict(i, api_name="/job")["state"] in ("queued", "running") for i in ids[-1:]
                ):
                    time.sleep(1)
                worker = residents(out)
                assert worker is not None, "the worker is gone"
                held = [psutil.Process(pid).memory_info().rss / 1e6 for pid in (app.pid, worker.pid)]
                print(
                    f"{done + len(ids):4}  {held[0]:6.0f}  {held[1]:9.0f}  "
                    f"{_others(out):11}  {(out / 'easel.db').stat().st_size / 1e6:11.1f}",
                    flush=True,
                )
        finally:
            app.terminate()
            app.wait()


def _up(url: str) -> str:
    for _ in range(240):
        try:
            httpx.get(url, timeout=5)
            return url
        except httpx.TransportError:
            time.sleep(0.5)
    raise SystemExit("the app did not start")


def _others(out: Path) -> int:
    """How many files are neither in run folders nor pictures nor the database: uploads, previews, temporary ones."""
    return sum(
        path.is_file()
        for path in out.rglob("*")
        if path.relative_to(out).parts[0].startswith("easel.")
        and path.relative_to(out).parts[0] not in ("easel.pictures", "easel.db")
    )


if __name__ == "__main__":
    typer.run(main)
