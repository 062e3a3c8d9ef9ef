"""How often headline and body pass their checks, by the template and by the text model of a preset.

python -m scripts.evaluation.words [--preset mini] [--tries 3]
"""

from __future__ import annotations

import argparse

from pipeline.brief import Brief
from pipeline.calls.load import load
from pipeline.calls.pool import ModelPool
from pipeline.config import load_preset
from pipeline.pieces.text_step import from_template
from pipeline.pieces.word_checks import check_field
from pipeline.pieces.words import Facts
from pipeline.pieces.workflow import TextStep, load_workflow
from pipeline.pieces.writer import WRITTEN, write, writer_of
from pipeline.reading.requirements import read

BRIEFS = (
    "two red apples on a yellow background, flat style",
    "a panda on a purple background, cartoon style",
    "an owl above a house for the night walk of our nature club",
    "a blue whale for the flyer of our sea week",
    "three green pears on a white background, no text",
    "a robot for our maker evening, it should feel friendly",
    "a fox and a tree, flat design, for a hiking map",
    "a cup of coffee for the breakfast page of a small hotel",
    "four yellow stars for a rating badge",
    "a bicycle on a green background for our repair day",
    "a cat left of a dog, cartoon style",
    "a birthday cake for an invitation, no candles on the table",
    "a rocket for the first lesson of a physics course",
    "a pink tulip on a white background for a spring sale poster",
    "two owls on a gray background for our library's reading night",
    "a key on a blue background, flat style, for a help page about passwords",
    "a turtle, please, for a slow-travel blog",
    "a red umbrella on a gray background",
    "a slice of pizza for the menu of our canteen",
    "a lighthouse or a boat for a sailing school",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--preset", default="mini")
    parser.add_argument("--tries", type=int, default=3)
    given = parser.parse_args()
    preset, pool = load_preset(given.preset), ModelPool()
    models = load(preset, None, pool)
    briefs = [Brief(text=text) for text in BRIEFS]
    readings = read(briefs, models.text, models.range, preset.loop.prompting, marker=models.marker).each
    step = load_workflow("social-card").steps["words"]
    assert isinstance(step, TextStep)
    fields = {name: wanted for name, wanted in step.fields.items() if name in WRITTEN}
    writer = writer_of(preset, None, pool)
    passed = {"template": 0, "model, first try": 0, f"model, {given.tries} tries": 0}
    for brief, reading in zip(briefs, readings, strict=True):
        facts = Facts(
            brief=brief.text, wants=reading.requirements, **{
                key: next((r.value for r in reading.requirements if r.kind == kind), "")
                for key, kind in (("ground", "background"), ("style", "style"))
            },
        )  # fmt: skip
        by_rule = {name: from_template(name, wanted, facts) for name, wanted in fields.items()}
        passed["template"] += all(
            check.outcome == "pass"
            for name, wanted in fields.items()
            for check in check_field("", name, by_rule[name], wanted, facts)
        )
        words, tried, _ = write(writer, facts, fields, given.tries, 0)
        passed["model, first try"] += not tried[0][1]
        passed[f"model, {given.tries} tries"] += bool(words)
        print(f"{brief.text}\n  template: {by_rule}")
        for texts, faults in tried:
            print(f"  model: {texts} {'; '.join(faults) or 'passes'}")
    for name, count in passed.items():
        print(f"{name}: {count} of {len(briefs)} pass")


if __name__ == "__main__":
    main()
