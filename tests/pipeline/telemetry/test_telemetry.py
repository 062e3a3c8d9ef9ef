"""Traces: what is made of the store's records, what reaches a real collector, what never leaves the machine."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from models.specs import STAGES, Stage
from pipeline.brief import Brief
from pipeline.calls.load import load
from pipeline.calls.record import Call
from pipeline.config import Preset
from pipeline.events import Event
from pipeline.loop import run
from pipeline.painting.image import IMAGE_STEP
from pipeline.store import Store
from pipeline.telemetry import names as name
from pipeline.telemetry.export import Exporter
from pipeline.telemetry.spans import Span, call_attributes, recorded
from scripts.commands.trace import tree
from tests.pipeline.test_loop import NEVER_PASS

ROOT = Path(__file__).parents[3]
Tiny = Callable[..., Preset]
WORDS = "two purple zebras on a red background"


def played(preset: Preset, store: Store, texts: tuple[str, ...] = (WORDS,)) -> tuple[list[Event], str | None]:
    """Runs with ids run-0, run-1, … through loop, store and telemetry."""
    briefs = [Brief(text=text, seed=5) for text in texts]
    exporter, events = Exporter(preset), []
    for i, brief in enumerate(briefs):
        store.runs.begin(f"run-{i}", brief, preset, store.out)
    for event in run(briefs, preset, load(preset)):
        store.runs.take(f"run-{event.brief}", event)
        exporter.take(f"run-{event.brief}", event)
        events.append(event)
    return events, exporter.close()


def spans_of(store: Store, id: str = "run-0") -> list[Span]:
    row = store.runs.get(id)
    assert row is not None
    return recorded(store, row)


@pytest.fixture
def preset(tiny: Tiny, tiny_text: str) -> Preset:
    return tiny(
        judge=NEVER_PASS, loop={"images": 2, "reader": "model"}, text={"model": tiny_text},
        machine={"price": 360.0},
    )  # fmt: skip


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    for variable in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", name.CAPTURE):
        monkeypatch.delenv(variable, raising=False)
    return Store(tmp_path / "out")


@pytest.fixture
def collector(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: Store
) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """A collector process that the environment names; call it for what has arrived."""
    file = tmp_path / "arrived.jsonl"
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.collector", str(file)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{process.stdout.readline().strip()}")
    yield lambda: [json.loads(line) for line in file.read_text().splitlines()]
    process.kill()
    process.wait()


def test_the_records_give_the_tree(preset: Preset, store: Store) -> None:
    events, lost = played(preset, store)
    assert lost is None
    spans = spans_of(store)
    by_id = {span.span_id: span for span in spans}
    assert len(by_id) == len(spans)
    (root,) = (span for span in spans if span.parent_id is None)
    assert root.name == "invoke_workflow tiny"
    assert root.attributes[name.STATUS] == "exhausted"
    below = {span.name: by_id[span.parent_id].name for span in spans if span.parent_id}
    assert below == {
        "chat text": "invoke_workflow tiny", "attempt 1": "invoke_workflow tiny",
        "attempt 2": "invoke_workflow tiny", "generate_content sd_tiny_vae": "attempt 2",
        "embeddings siglip": "attempt 2",
    }  # fmt: skip
    chat = next(span for span in spans if span.name.startswith("chat"))
    assert chat.attributes[name.INPUT_TOKENS] > 0
    assert chat.attributes[name.REVISION]
    image = [span for span in spans if span.name.startswith("generate")]
    assert [span.attributes[name.SEED] for span in image] == [5, 5 + IMAGE_STEP]
    assert all(span.attributes[name.STEPS] == 2 and span.attributes[name.COST] > 0 for span in image)
    assert all(
        by_id[s.parent_id].start_ns <= s.start_ns <= s.end_ns <= root.end_ns for s in image if s.parent_id
    )
    money = sum(span.attributes[name.COST] for span in spans if name.STAGE in span.attributes)
    assert root.attributes[name.COST] == pytest.approx(money)
    attempt = next(span for span in spans if span.name == "attempt 1")
    told = [event["attributes"] for event in attempt.events]
    assert {event["name"] for event in attempt.events} == {name.EVALUATION}
    verdict = next(e for e in events if hasattr(e, "verdicts")).verdicts[0]  # type: ignore[union-attr]
    assert [t.get(name.SCORE) for t in told] == [check.probability for check in verdict.checks]
    assert [t[name.LABEL] for t in told] == [check.outcome for check in verdict.checks]
    assert attempt.attributes[name.evaluation(1, "score")] == verdict.checks[1].probability


def test_a_run_played_again_writes_the_same_spans(preset: Preset, store: Store) -> None:
    played(preset, store)
    first = [span.span_id for span in spans_of(store)]
    played(preset, store)
    assert [span.span_id for span in spans_of(store)] == first


def test_a_collector_receives_names_parents_and_scores_but_no_texts(
    preset: Preset, store: Store, collector: Callable[[], list[dict[str, Any]]]
) -> None:
    _, lost = played(preset, store)
    assert lost is None
    arrived = collector()
    spans = [line for line in arrived if "trace" in line]
    kept = spans_of(store)
    assert {(s["name"], s["id"], s["parent"] or None) for s in spans} == {
        (s.name, s.span_id, s.parent_id) for s in kept
    }
    scores = [e[name.SCORE] for s in spans for e in s["events"] if name.SCORE in e]
    assert sorted(scores) == sorted(
        e["attributes"][name.SCORE] for s in kept for e in s.events if name.SCORE in e["attributes"]
    )
    assert "zebra" not in json.dumps(arrived)
    assert any("zebra" in span.attributes.get(name.BRIEF, "") for span in kept)
    metrics = {line["metric"]: (line["unit"], line["count"]) for line in arrived if "metric" in line}
    assert metrics[name.DURATION] == ("s", 5)
    assert metrics[name.TOKEN_USAGE] == ("{token}", 2)
    assert metrics[name.WORKFLOW_DURATION] == ("s", 1)


def test_texts_are_exported_only_when_the_environment_asks(
    preset: Preset,
    store: Store,
    collector: Callable[[], list[dict[str, Any]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(name.CAPTURE, "true")
    played(preset, store)
    chat = next(line for line in collector() if line.get("name", "").startswith("chat"))
    assert "zebras" in chat["attributes"][name.INPUT_MESSAGES]


def test_a_dead_collector_is_reported_once_and_delays_nothing(
    preset: Preset, store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    events, lost = played(preset, store)
    assert events[-1].status == "exhausted"  # type: ignore[union-attr]
    assert "did not reach http://127.0.0.1:9" in str(lost)
    assert len(spans_of(store)) == 8
    assert not [record for record in caplog.records if record.name.startswith("opentelemetry")]


def test_the_tree_shows_time_and_cost_shares(preset: Preset, store: Store) -> None:
    from rich.console import Console

    played(preset, store)
    console = Console(width=200, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    console.print(tree(spans_of(store), "two-zebras"))
    text = console.export_text()
    assert text.count("of model time") == 5
    assert "EUR (" in text
    assert "two purple zebras" not in text
    assert f"seed {5 + IMAGE_STEP}, 2 steps" in " ".join(text.split())
    assert "no outcome" not in text


@pytest.mark.parametrize("stage", STAGES)
def test_a_failed_call_of_any_stage_has_a_span(stage: Stage) -> None:
    model = {"kind": "any", "name": "owner/model", "revision": "", "device": "cpu", "dtype": "float32"}
    call = Call(
        stage=stage, model=model, started=datetime.now(UTC), seconds=1.0, inputs=(), error="OSError: broken"
    )
    attributes = call_attributes(call, "EUR")
    assert attributes[name.OPERATION]
    assert attributes[name.KIND] in ("LLM", "EVALUATOR")
    assert (attributes[name.STAGE], attributes[name.ERROR_TYPE]) == (stage, "OSError")


def test_the_tokens_of_a_vision_model_are_counted() -> None:
    said = {"probabilities": [0.9, 0.2], "input_tokens": 70, "output_tokens": 2}
    call = Call(
        stage="vlm", model={"name": "eyes"}, started=datetime.now(UTC), seconds=1.0,
        inputs=(["Is it a cat?", "Is it red?"],), outputs=(said,),
    )  # fmt: skip
    assert call.tokens == 72
    attributes = call_attributes(call, "EUR")
    assert (attributes[name.INPUT_TOKENS], attributes[name.OUTPUT_TOKENS]) == (70, 2)
    assert name.FINISH_REASONS not in attributes
