"""An example client of the app's HTTP API: submit a brief, follow the job, download the picture.

    easel ui &
    python -m scripts.client "a panda on a purple background, cartoon style" --seed 7 --save panda.png
    EASEL_PASSWORD=… python -m scripts.client "two owls" --name ann      # of an app with a password

Exit status: 0 accepted, 3 not met or needs a person, 2 bad input or no app, 130 stopped; the job then goes on.
`Client.view_api()` and the page's “Use via API” describe every endpoint.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from gradio_client import Client
from gradio_client.exceptions import AppError, AuthenticationError

from scripts.commands.interrupt import ACCEPTED, BAD_INPUT, INTERRUPTED, NOT_MET
from scripts.commands.plain import clean
from scripts.direct import reach_loopback_directly

POLL = 0.5  # seconds between two looks at the job
PASSWORD = "EASEL_PASSWORD"  # variable of the environment


class Refused(Exception):
    """What the app refused, or why it cannot be asked, in a sentence."""


def main(
    brief: Annotated[str, typer.Argument(help="what you want, in your words")],
    url: Annotated[str, typer.Option(help="address of the app")] = "http://127.0.0.1:7860",
    name: Annotated[
        str,
        typer.Option(help=f"your name, for an app with a password; the password is in {PASSWORD} or asked"),
    ] = "",
    preset: Annotated[str, typer.Option(help="a preset that the app offers")] = "mini",
    seed: Annotated[int, typer.Option(help="the same brief, preset and seed give the same images")] = 0,
    images: Annotated[int, typer.Option(help="paint at most this many images; 0: the preset's limit")] = 0,
    save: Annotated[Path | None, typer.Option(help="file for the best picture")] = None,
) -> None:
    """Submit a brief, and print its progress and outcome."""
    reach_loopback_directly()
    try:
        status = _run(_connected(url, name), brief, preset, seed, images, save)
    except Refused as error:
        status = _tell(str(error), BAD_INPUT)
    except AppError as error:  # a sentence of the app
        status = _tell(error.message, BAD_INPUT)
    except (httpx.HTTPError, ValueError) as error:
        status = _tell(f"the app at {url} does not answer ({error}); start it with: easel ui", BAD_INPUT)
    except OSError as error:
        status = _tell(f"{save} cannot be written ({error.strerror}); name another file", BAD_INPUT)
    except KeyboardInterrupt:
        status = _tell("stopped; the job goes on, and the page can cancel it", INTERRUPTED)
    raise SystemExit(status)


def _connected(url: str, name: str) -> Client:
    auth = None
    if name:
        auth = name, os.environ.get(PASSWORD) or typer.prompt("password", hide_input=True, err=True)
    try:
        return Client(url, auth=auth, verbose=False)
    except AuthenticationError:
        raise Refused(
            f"the app has a password; give your name with --name, and the password in {PASSWORD}"
        ) from None
    except ValueError as error:
        if auth:
            raise Refused(
                f"the app at {url} refused the login; correct the password, or wait 5 minutes"
            ) from None
        raise Refused(f"{url} is no app of Easel ({error}); correct --url") from None


def _run(client: Client, brief: str, preset: str, seed: int, images: int, save: Path | None) -> int:
    for want in client.predict(brief, preset, api_name="/read")["requirements"]:
        print(clean(f"wants {want['text']}" + (f" ({want['flag']}: {want['note']})" if want["flag"] else "")))
    job = client.predict(brief, preset, seed, images, api_name="/submit")
    said = ""
    while job["state"] in ("queued", "running", "paused"):
        time.sleep(POLL)
        job = client.predict(job["id"], api_name="/job")
        if (now := _said(job)) and now != said:
            print(said := now)
    if job["state"] == "failed":
        raise Refused(f"the job failed: {job['error']}")
    result: dict[str, Any] = client.predict(job["id"], api_name="/result")
    print(clean(f"{result['outcome'].replace('_', ' ')}: {result['reason']}"))
    if save and result["picture"]:
        picture = httpx.get(f"{client.src.rstrip('/')}/{result['picture']}", cookies=client.cookies)
        save.write_bytes(picture.raise_for_status().content)
        print(save)
    return ACCEPTED if result["outcome"] == "accepted" else NOT_MET


def _said(job: dict[str, Any]) -> str:
    """The state of a job as a sentence; empty once it has ended."""
    if job["state"] == "queued":
        ahead = job["place"] or 0
        return (
            f"waiting for {ahead} other job{'s' if ahead > 1 else ''}" if ahead else "waiting for the worker"
        )
    if job["state"] == "paused":
        return "paused; the page can resume it"
    told = job["progress"]
    if told.get("stage") == "painting":
        return f"painting, attempt {told.get('attempt', 1)}"
    return "loading the models" if job["state"] == "running" and told.get("stage") == "loading" else ""


def _tell(message: str, status: int) -> int:
    print(f"client: {clean(' '.join(message.split()))}", file=sys.stderr)
    return status


if __name__ == "__main__":
    typer.run(main)
