"""An example client of the app's HTTP API: submit a brief, follow the job, download the picture.

    easel ui &
    python -m scripts.client "a panda on a purple background, cartoon style" --seed 7 --save panda.png

`Client.view_api()` and the page's “Use via API” describe every endpoint.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from gradio_client import Client

from scripts.direct import reach_loopback_directly

POLL = 0.5  # seconds between two looks at the job


def main(
    brief: Annotated[str, typer.Argument(help="what you want, in your words")],
    url: Annotated[str, typer.Option(help="address of the app")] = "http://127.0.0.1:7860",
    preset: Annotated[str, typer.Option(help="a bundled preset")] = "mini",
    seed: Annotated[int, typer.Option(help="the same brief, preset and seed give the same images")] = 0,
    images: Annotated[int, typer.Option(help="paint at most this many images; 0: the preset's limit")] = 0,
    save: Annotated[Path | None, typer.Option(help="file for the best picture")] = None,
) -> None:
    """Submit a brief and print its progress and outcome."""
    reach_loopback_directly()
    client = Client(url, verbose=False)
    for want in client.predict(brief, preset, api_name="/read")["requirements"]:
        print(f"wants {want['text']}" + (f" ({want['flag']}: {want['note']})" if want["flag"] else ""))
    job = client.predict(brief, preset, seed, images, api_name="/submit")
    said = ""
    while job["state"] in ("queued", "running", "paused"):
        time.sleep(POLL)
        job = client.predict(job["id"], api_name="/job")
        if (now := _said(job)) != said:
            print(said := now)
    if job["state"] == "failed":
        raise SystemExit(f"failed: {job['error']}")
    result: dict[str, Any] = client.predict(job["id"], api_name="/result")
    print(f"{result['outcome']}: {result['reason']}")
    if save and result["picture"]:
        save.write_bytes(httpx.get(f"{url}/{result['picture']}").raise_for_status().content)
        print(save)


def _said(job: dict[str, Any]) -> str:
    if job["state"] == "queued":
        return f"waiting; {job['place']} jobs ahead"
    told = job["progress"]
    return f"{job['state']}: {told.get('stage', '')}, attempt {told.get('attempt', 1)}"


if __name__ == "__main__":
    typer.run(main)
