"""Every verb over HTTP, against the running app."""

from __future__ import annotations

import socket
from typing import Any

import httpx
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from pipeline.config import Preset
from pipeline.store import Store
from tests.ui.conftest import App, add_runs, wait_for
from ui.api import NAMES

PANDA = "a panda on a purple background, cartoon style"


def ended(client: Client, id: str) -> dict[str, Any]:
    wait_for(
        lambda: client.predict(id, api_name="/job")["state"] in ("done", "failed", "cancelled"), f"job {id}"
    )
    job: dict[str, Any] = client.predict(id, api_name="/job")
    return job


def test_every_verb_is_offered_and_nothing_else(client: Client) -> None:
    named = client.view_api(print_info=False, return_format="dict")["named_endpoints"]
    assert set(named) == {f"/{name}" for name in NAMES}


def test_read_and_presets(client: Client) -> None:
    reading = client.predict("two owls, it should feel calm", api_name="/read")
    assert [(w["kind"], w["flag"]) for w in reading["requirements"]] == [
        ("count", None), ("other", "uncheckable"),
    ]  # fmt: skip
    assert reading["reader"].endswith("+ rules") or "→ rules" in reading["degraded"]
    assert "mini" in [preset["name"] for preset in client.predict(api_name="/presets")]


@pytest.mark.slow
def test_a_brief_is_submitted_watched_and_fetched(client: Client, app: App, busy: str) -> None:
    job = client.predict(PANDA, seed=7, images=2, api_name="/submit")
    assert (job["state"], job["place"]) == ("queued", 1)
    assert [open["id"] for open in client.predict(api_name="/jobs")] == [busy, job["id"]]
    client.predict(busy, "cancel", api_name="/ask")
    assert ended(client, job["id"])["state"] == "done"
    result = client.predict(job["id"], api_name="/result")
    assert result["brief"] == PANDA
    assert result["outcome"] in ("accepted", "needs_review", "exhausted")
    assert {w["kind"] for w in result["requirements"]} == {"object", "background", "style"}
    candidate = result["attempts"][0]["candidates"][0]
    assert {c["requirement"] for c in candidate["checks"]} >= {"r1", "r2", "r3"}
    picture = httpx.get(f"{app.url}/{candidate['file']}")
    assert picture.status_code == 200
    assert picture.content.startswith(b"\x89PNG")
    assert job["id"] in [run["run"] for run in client.predict(text="panda", api_name="/runs")]
    # The worker tells what it has in memory when the job is done.
    wait_for(lambda: len(client.predict(api_name="/models")["loaded"]) == 4, "the models in memory")
    assert client.predict(api_name="/models")["memory"] > 2**28


def test_given_requirements_hold(client: Client) -> None:
    wants = client.predict("a panda on a blue background", api_name="/read")["requirements"]
    job = client.predict(PANDA, images=1, requirements=wants, api_name="/submit")
    ended(client, job["id"])
    result = client.predict(job["id"], api_name="/result")
    assert [w["text"] for w in result["requirements"]] == [w["text"] for w in wants]
    assert "blue" in result["attempts"][0]["candidates"][0]["prompt"]


def test_a_job_is_cancelled_and_a_paused_one_goes_on(client: Client, busy: str) -> None:
    second = client.predict(PANDA, images=1, seed=7, api_name="/submit")["id"]
    assert client.predict(second, "pause", api_name="/ask")["state"] == "paused"
    client.predict(busy, "cancel", api_name="/ask")
    assert ended(client, busy)["state"] == "cancelled"
    assert client.predict(second, api_name="/job")["state"] == "paused"
    client.predict(second, "resume", api_name="/ask")
    assert ended(client, second)["state"] == "done"


def test_a_batch_goes_row_by_row(client: Client) -> None:
    content = f'brief,seed,images\n"{PANDA}",7,1\n"",1,1\n'
    job = client.predict(content, "csv", "two", api_name="/submit_batch")
    assert ended(client, job["id"])["state"] == "done"
    batch = client.predict(job["id"], api_name="/batch")
    assert [row["line"] for row in batch["rows"]] == [2, 3]
    assert batch["rows"][1]["outcome"] == "bad"
    assert batch["rows"][0]["run"]


def test_reviews_by_two_people(client: Client, store: Store, tiny_preset: Preset) -> None:
    (run,) = add_runs(store, tiny_preset, ["a cat for the API"])
    waiting = next(item for item in client.predict("ann", api_name="/review_queue") if item["run"] == run)
    assert waiting["why"] == "unchecked"
    assert "gate" not in waiting
    said = {"requirements": {"r1": "pass"}, "reason": "it is one"}
    review = client.predict(run, waiting["candidate"], "ann", "approve", **said, api_name="/decide")
    assert (review["why"], review["outcome"]) == ("unchecked", "accepted")
    why = {"requirements": {"r1": "fail"}, "reasons": {"r1": "a dog"}}
    review = client.predict(run, waiting["candidate"], "bob", "reject", **why, api_name="/decide")
    assert review["reasons"] == {"r1": "a dog"}
    result = client.predict(run, api_name="/result")
    assert (result["outcome"], result["decided_by"], result["loop_outcome"]) == (
        "rejected",
        "bob",
        "needs_review",
    )
    assert [said["who"] for said in result["reviews"]] == ["ann", "bob"]
    assert run in [found["run"] for found in client.predict(outcome="rejected", api_name="/runs")]
    client.predict(run, waiting["candidate"], "bob", "undo", api_name="/decide")
    client.predict(run, waiting["candidate"], "bob", "approve", api_name="/decide")
    with pytest.raises(AppError, match="use approve, reject, skip"):
        client.predict(run, waiting["candidate"], "bob", "burn", api_name="/decide")
    told = client.predict(api_name="/reviews")
    assert [r["decision"] for r in told["log"] if r["run"] == run] == ["approve", "reject", "undo", "approve"]
    assert told["agreement"]["pictures"] >= 1
    assert run not in [item["run"] for item in client.predict("ann", api_name="/review_queue")]


def test_models_are_unloaded_and_loaded(client: Client) -> None:
    assert ended(client, client.predict(api_name="/unload")["id"])["state"] == "done"
    wait_for(lambda: client.predict(api_name="/models")["loaded"] == [], "an empty memory")
    assert ended(client, client.predict("mini", api_name="/load")["id"])["state"] == "done"
    wait_for(lambda: len(client.predict(api_name="/models")["loaded"]) == 4, "the models in memory")
    found = client.predict(api_name="/models")
    assert all(model["bytes"] > 2**20 for model in found["loaded"])
    assert sum(model["bytes"] for model in found["loaded"]) < found["memory"]


@pytest.mark.parametrize(
    ("verb", "given", "said"),
    [
        ("/submit", ("",), "The brief is empty"),
        ("/submit", (PANDA, "nope"), "Unknown preset"),
        ("/submit", (PANDA, "mini", -1), "Seed: -1 is too small; the least is 0"),
        ("/job", ("nope",), "There is no job"),
        ("/result", ("nope",), "No run"),
        ("/ask", ("nope", "dance"), "Unknown request 'dance'"),
        ("/submit_batch", ("colour\nred\n", "csv"), "no column named brief"),
        ("/submit_batch", ("x", "exe"), "Unknown kind of file 'exe'"),
        ("/decide", ("nope", "1-1", "ann", "approve"), "There is no run .nope."),
    ],
)
def test_bad_input_is_one_sentence(client: Client, verb: str, given: tuple[Any, ...], said: str) -> None:
    with pytest.raises(AppError, match=said) as caught:
        client.predict(*given, api_name=verb)
    assert "Traceback" not in str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd", "{out}/easel.db", "{out}/../secret.png", "{out}/easel.worker.json", "{out}/link.png",
        "http://127.0.0.1/x.png", "..%2F..%2Fetc%2Fpasswd", "{out}/%2e%2e/secret.png",
    ],
)  # fmt: skip
def test_files_come_from_the_output_folder_only(app: App, name: str) -> None:
    (app.out.parent / "secret.png").write_bytes(b"secret")
    link = app.out / "link.png"
    if not link.is_symlink():
        link.symlink_to(app.out.parent / "secret.png")
    answer = httpx.get(f"{app.url}/gradio_api/file=" + name.format(out=app.out))
    assert answer.status_code in (403, 404)
    assert b"secret" not in answer.content


def test_a_strange_host_name_is_refused(app: App) -> None:
    assert httpx.get(app.url, headers={"host": "evil.example"}).status_code == 421


def test_pages_may_load_nothing_from_elsewhere(app: App) -> None:
    policy = httpx.get(app.url).headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "http" not in policy


def test_a_large_body_is_refused(app: App) -> None:
    with socket.create_connection(("127.0.0.1", app.port), timeout=60) as raw:
        raw.sendall(
            b"POST /gradio_api/upload HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99000000\r\n\r\n"
        )
        assert b" 413 " in raw.recv(200).split(b"\r\n")[0]
