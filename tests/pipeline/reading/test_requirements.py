"""From briefs to requirements: lines, the two readings as one, and what happens when the model is no use."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from models.protocols import Message, Text
from models.specs import Spec
from models.text import server_text
from models.text.server_text import ServerText
from pipeline.brief import BEYOND_THINGS, Brief, Reading
from pipeline.calls.caller import Tariff
from pipeline.calls.energy import Assumed
from pipeline.calls.load import make_stage
from pipeline.calls.operations import REPAIR, TextOperation, TextRequest
from pipeline.calls.pool import ModelPool, PooledModel
from pipeline.calls.stage import Stage
from pipeline.range import load_range
from pipeline.reading.consensus import combined
from pipeline.reading.finding import NOT_UNDERSTOOD, Found
from pipeline.reading.requirements import (
    SCHEMA,
    Reader,
    answer_of,
    conversation,
    from_line,
    parsed,
    read,
    to_line,
)
from pipeline.reading.rules import found_in
from tests.pipeline.test_range import FILE

RANGE = load_range(FILE)


def text_stage(spec: Spec, build: Callable[[Spec], PooledModel]) -> Stage[TextRequest, Text]:
    return make_stage(TextOperation(), spec, build, Tariff(Assumed(1.0)))


class Server:
    """A real server on this machine: answers each brief with what is written down for it, in order."""

    def __init__(self, script: dict[str, list[str]]) -> None:
        asked = self.asked = []  # type: list[str]

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                said = [m["content"] for m in body["messages"] if m["role"] == "user"]
                brief = next(text for text in said if text in script)
                asked.append(said[-1])
                content = script[brief].pop(0) if len(script[brief]) > 1 else script[brief][0]
                whole = content.endswith("}")
                answer = {
                    "choices": [
                        {"message": {"content": content}, "finish_reason": "stop" if whole else "length"}
                    ],
                    "usage": {"prompt_tokens": 9, "completion_tokens": 9},
                }
                data = json.dumps(answer).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *args: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def model(self) -> Stage[TextRequest, Text]:
        address = f"http://127.0.0.1:{self.http.server_address[1]}/v1"
        spec = ServerText(kind="server", base_url=address, model="owner/tiny", retries=0)
        return text_stage(
            spec, lambda s: ModelPool().request(s, Path(), partial(server_text.load, offline=True))
        )


def readings(*arguments: Any) -> list[Reading]:
    return read(*arguments).each


@pytest.fixture
def serve() -> Iterator[Callable[[dict[str, list[str]]], Server]]:
    servers: list[Server] = []

    def start(script: dict[str, list[str]]) -> Server:
        servers.append(Server(script))
        return servers[-1]

    yield start
    for server in servers:
        server.http.shutdown()
        server.http.server_close()


def lines(text: str, said: Sequence[str]) -> set[str]:
    """The reading of a brief by rules and model where the model wrote these lines."""
    answer = parsed(answer_of(said))
    assert isinstance(answer, list)
    return {to_line(found) for found in combined(text, found_in(text, RANGE), answer, RANGE)}


@pytest.mark.parametrize(
    "line",
    [
        "cat",
        "3 croissant",
        "apple is light blue",
        "cat left of dog",
        "cup with straw above hot dog",
        "background city skyline",
        "style flat",
        "no text",
        "size 256x256",
        "size 512 wide",
        "contrast high",
        "palette blue",
        "other feel premium",
        "maybe background red",
        "polar bear: riding a unicycle",
        "setting: at night",
        "text: Grand Opening",
        "statement: the water is calm",
        "maybe statement: shot from a low angle",
    ],
)
def test_a_line_is_read_back_as_it_was(line: str) -> None:
    found = from_line(line)
    assert found is not None
    assert to_line(found) == line


@pytest.mark.parametrize(
    ("line", "kind"),
    [("cat: red", "attribute"), ("text", "object"), ("setting", "object"), ("no text", "absence")],
)
def test_lines_like_those_of_other_kinds_keep_their_own(line: str, kind: str) -> None:
    found = from_line(line)
    assert found is not None
    assert found.kind == kind


@pytest.mark.parametrize("line", ["", "3", "size big", "contrast medium", "background ", "  "])
def test_a_line_without_form_is_left_out(line: str) -> None:
    assert from_line(line) is None


def test_the_examples_fit_the_form() -> None:
    turns = conversation("a cat", "instructed")[1:-1]
    examples = {
        user.content: json.loads(told.content)["wants"]
        for user, told in zip(turns[::2], turns[1::2], strict=True)
    }
    assert examples
    assert [turn.content for turn in turns[1::2]] == [answer_of(said) for said in examples.values()]
    for text, said in examples.items():
        found = parsed(answer_of(said))
        assert found == [from_line(line) for line in said]
        assert isinstance(found, list)
        assert {to_line(item) for item in combined(text, found_in(text), found, None)} == set(said)
        if not {item.kind for item in found} & set(BEYOND_THINGS):
            assert lines(text, said) == set(said)
    assert SCHEMA["properties"]["wants"]["maxItems"] >= max(len(said) for said in examples.values())


def test_prompts() -> None:
    bare, instructed = conversation("a cat", "bare"), conversation("a cat", "instructed")
    assert bare[-1] == instructed[-1] == Message("user", "a cat")
    assert sum(len(m.content) for m in bare) < 60 < sum(len(m.content) for m in instructed)


@pytest.mark.parametrize(
    "text", ["", "no", "{", '{"wants": 3}', '{"wants": [1]}', '["cat"]', '{"wants":["cat"']
)
def test_what_is_no_answer_says_so(text: str) -> None:
    assert parsed(text) == "malformed output: not the JSON asked for"


def test_words_around_the_json_do_no_harm() -> None:
    assert parsed('Sure!\n```json\n{"wants": ["cat"]}\n```') == [from_line("cat")]


def test_what_the_model_invents_is_dropped() -> None:
    said = [
        "cat",
        "dog",
        "cat is red",
        "background green",
        "style flat",
        "2 cat",
        "no text",
        "other feel warm",
    ]
    assert lines("A cat, please.", [*said, "cat left of dog", "size 64x64"]) == {"cat"}


def test_what_the_model_misses_is_kept_where_the_rules_are_sure() -> None:
    assert lines("Two red cats on white", ["2 cat"]) == {"2 cat", "cat is red", "background white"}


def test_what_the_rules_are_sure_of_stands() -> None:
    text = "A croissant, a cup of coffee and a cookie, no mugs of tea, on brown"
    sure = {to_line(found) for found in found_in(text, RANGE)}
    assert {"croissant", "hot drink", "cookie", "background brown"} < sure
    for said in (["croissant"], ["croissant", "2 cookie", "background white"], ["tea", "3 croissant"]):
        assert lines(text, said) == sure


def test_the_model_makes_no_want_of_context_or_of_what_is_ruled_out() -> None:
    text = "Pet shop for cats and dogs: a fish on blue, but not a crab"
    expected = {"fish", "background blue", "no crab"}
    assert lines(text, ["fish", "cat", "dog", "crab", "background blue"]) == expected


def test_the_model_finds_what_the_rules_do_not_know() -> None:
    text = "Jazzy walrus playing banjo on green"
    assert {to_line(f) for f in found_in(text, RANGE)} == {f"other {text}", "background green"}
    assert lines(text, ["walrus", "background green"]) == {
        "walrus", "background green", "other Jazzy", "other playing banjo",
    }  # fmt: skip


def test_a_guess_that_the_model_does_not_confirm_goes_to_a_person() -> None:
    guessed = combined(
        "A cat with a zorp", found_in("A cat with a zorp", RANGE), [Found("object", "cat")], RANGE
    )
    assert [(item.kind, item.subject) for item in guessed] == [("object", "cat"), ("other", NOT_UNDERSTOOD)]
    assert lines("A cat with a zorp", ["cat", "zorp"]) == {"cat", "zorp"}


def test_the_model_may_use_the_words_of_the_brief() -> None:
    assert lines("Two puppies", ["2 puppy"]) == {"2 dog"}
    assert lines("A crimson bike", ["bike", "bike is crimson"]) == {"bicycle", "bicycle is red"}


def test_a_colour_is_given_out_once() -> None:
    text = "A red cat and a blue dog on a white background"
    wrong = ["cat", "cat is blue", "dog", "dog is red", "background red"]
    right = {"cat", "cat is red", "dog", "dog is blue", "background white"}
    assert lines(text, wrong) == lines(text, ["cat", "dog"]) == right


def test_a_colour_said_of_two_things_is_kept_for_both() -> None:
    text = "A black rainbow and a cat on black ground"
    said = ["rainbow", "rainbow is black", "cat", "background black"]
    assert lines(text, said) == set(said)


def test_a_brief_that_contradicts_itself_is_read_as_it_stands() -> None:
    text = "A cat on a red background. The background must be blue."
    said = ["cat", "background red", "background blue"]
    assert lines(text, said) == set(said)


def test_what_a_mood_is_not_is_no_want() -> None:
    text = "A cat on pink. It should not be boring but elegant."
    assert lines(text, ["cat", "background pink", "other not boring but elegant"]) == {
        "cat", "background pink", "other elegant",
    }  # fmt: skip


def test_words_already_used_make_no_second_want() -> None:
    text = "A cat in a pink tone with nothing like lettering"
    said = ["cat", "cat is pink", "other pink tone", "style lettering", "no lettering"]
    assert lines(text, said) == {"cat", "cat is pink", "no lettering"}


def test_a_longer_name_stands_against_a_colour_in_it() -> None:
    said = ["cat", "background coral reef"]
    assert lines("A cat with a coral reef as backdrop", said) == set(said)


def test_a_turned_relation_is_not_said_twice() -> None:
    text = "A cat to the left of a dog"
    assert lines(text, ["cat", "dog", "dog right of cat"]) == {"cat", "dog", "cat left of dog"}
    assert lines(text, ["cat", "dog", "dog left of cat"]) == {"cat", "dog", "cat left of dog"}


def test_a_word_that_the_model_misspelt_is_put_right() -> None:
    text = "An otter above a fox on white"
    misspelt = ["ottey", "fox", "ottey above fox", "background white"]
    assert lines(text, misspelt) == {"otter", "fox", "otter above fox", "background white"}


def test_the_model_holds_where_the_rules_are_silent() -> None:
    text = "Wanted: a pear and a fox. It mustn't contain lettering. Lots of contrast."
    said = ["pear", "fox", "no lettering", "contrast high"]
    assert lines(text, said) == set(said)


def test_both_may_wear_one_colour() -> None:
    expected = {"pear", "fox", "pear is pink", "fox is pink"}
    assert lines("A pear and a fox, pink both", ["pear", "pear is pink", "fox", "fox is pink"]) == expected
    assert {to_line(found) for found in found_in("A pear and a fox, pink both", RANGE)} == expected


def test_without_a_model_the_rules_read() -> None:
    (reading,) = readings([Brief(text="three croissants on pink")], None, RANGE)
    assert reading.reader == "rules"
    assert reading.degraded is None
    assert {r.text for r in reading.requirements} == {"three croissants", "the background is pink"}


Serve = Callable[[dict[str, list[str]]], Server]


def test_the_model_and_the_rules_read_together(serve: Serve) -> None:
    server = serve({"a walrus": [answer_of(["walrus", "dog"])], "two cats": [answer_of([])]})
    walrus, cats = readings([Brief(text="a walrus"), Brief(text="two cats")], server.model(), RANGE)
    assert [to_line(want) for want in walrus.requirements] == ["walrus"]
    assert [to_line(want) for want in cats.requirements] == ["2 cat"]
    assert walrus.reader == cats.reader == "tiny + rules"
    assert walrus.degraded is None


def test_a_broken_answer_is_asked_for_once_more(serve: Serve) -> None:
    server = serve({"a jazzy walrus": ['{"wants":["walr', answer_of(["walrus", "walrus is jazzy"])]})
    (reading,) = readings([Brief(text="a jazzy walrus")], server.model(), RANGE)
    assert server.asked == ["a jazzy walrus", REPAIR]
    assert reading.degraded is None
    assert {to_line(want) for want in reading.requirements} == {"walrus", "walrus is jazzy"}


def test_after_one_repair_the_rules_stand_in_and_say_so(serve: Serve) -> None:
    server = serve({"a cat": ['{"wants":["c'], "a dog": [answer_of(["dog"])]})
    cat, dog = readings([Brief(text="a cat"), Brief(text="a dog")], server.model(), RANGE)
    assert sorted(server.asked) == sorted(["a cat", "a dog", REPAIR])
    assert cat.reader == "rules"
    assert cat.degraded is not None
    assert cat.degraded == "text, malformed output, also when asked again → rules"
    assert [r.subject for r in cat.requirements] == ["cat"]
    assert (dog.reader, dog.degraded) == ("tiny + rules", None)


def test_one_bad_answer_costs_only_its_own_brief(serve: Serve) -> None:
    server = serve({"a cat": ['{"wants": 7}'], "a dog": [answer_of(["dog"])], "a bee": [answer_of(["bee"])]})
    briefs = [Brief(text=text) for text in ("a cat", "a dog", "a bee")]
    readers = [reading.reader for reading in readings(briefs, server.model(), RANGE)]
    assert readers == ["rules", "tiny + rules", "tiny + rules"]


def test_a_server_that_is_gone_is_not_asked_for_ever(serve: Serve) -> None:
    server = serve({})
    model = server.model()
    server.http.server_close()
    found = readings([Brief(text=f"{n} cats") for n in (2, 3, 4, 4)], model, RANGE)
    assert [reading.reader for reading in found] == ["rules"] * 4
    assert all(str(reading.degraded).endswith("→ rules") for reading in found)
    assert "No server answers" in str(found[0].degraded)
    assert [len(reading.requirements) for reading in found] == [1, 1, 1, 1]


@pytest.mark.slow
def test_random_weights_do_no_harm(tmp_path: Path) -> None:
    """A tiny model in this process writes lines that fit the schema and mean nothing."""
    from models.text import hf_text
    from models.text.transformers_backend import TransformersText
    from tests.models.text.tiny_text import save_tiny

    spec = TransformersText(kind="transformers", model=str(save_tiny(tmp_path)))
    model = text_stage(spec, lambda s: ModelPool().request(s, tmp_path, partial(hf_text.load, offline=True)))
    (reading,) = readings([Brief(text="two cats on pink")], model, RANGE)
    assert {to_line(want) for want in reading.requirements} == {"2 cat", "background pink"}


def test_no_briefs_no_calls(serve: Serve) -> None:
    server = serve({})
    assert readings([], server.model(), RANGE) == []
    assert server.asked == []


def test_flags_are_set() -> None:
    (reading,) = readings([Brief(text="A red apple, all blue, and it must feel premium.")], None, RANGE)
    assert reading.blocked
    assert {r.flag for r in reading.requirements} == {"contradiction", "uncheckable", None}


@pytest.mark.parametrize(
    ("text", "said", "expected"),
    [
        ("a clock showing three", ["3 clock"], {"clock", "other showing three"}),
        (
            "a rose, but don't make it yellow",
            ["rose", "rose is yellow"],
            {"rose", "other not yellow"},
        ),
        ("a cat or a dog", ["cat", "dog"], {"other a cat or a dog"}),
    ],
)
def test_the_model_does_not_bring_back_a_misreading(text: str, said: list[str], expected: set[str]) -> None:
    assert lines(text, said) == expected


def test_a_general_model_may_read_another_language_and_the_small_one_may_not(
    serve: Callable[[dict[str, list[str]]], Server],
) -> None:
    text = "Ein roter Apfel auf blauem Hintergrund"
    answer = answer_of(["apple", "apple is red", "background blue"])
    model = serve({text: [answer]}).model()
    (general,) = readings([Brief(text=text)], model, RANGE, "instructed")
    assert {to_line(w) for w in general.requirements} == {"apple", "apple is red", "background blue"}
    assert general.blocked is None
    (small,) = readings([Brief(text=text)], model, RANGE, "bare")
    assert [w.flag for w in small.requirements] == ["outside"]
    assert "not understood" in (small.blocked or "")


def test_the_rules_read_first_and_hand_up_what_they_leave_open(
    serve: Callable[[dict[str, list[str]]], Server],
) -> None:
    said = answer_of(["walrus", "other jazzy"])
    server = serve({"a jazzy walrus": [said], "two cats": [said]})
    briefs = [Brief(text="two cats"), Brief(text="a jazzy walrus")]
    made = read(briefs, server.model(), RANGE, rules_first=True)
    complete, open_ = made.each
    assert server.asked == ["a jazzy walrus"]
    assert (complete.reader, complete.handed_up, made.calls[0]) == ("rules", (), ())
    assert open_.reader == "tiny + rules"
    assert len(open_.handed_up) == 1
    assert open_.handed_up == ("tiny: 2 wants guessed",)
    assert [call.handed_up for call in made.calls[1]] == ["briefs that were not understood"]
    assert "handed_up" not in complete.model_dump()


def test_a_larger_model_reads_what_the_smaller_one_leaves_open(
    serve: Callable[[dict[str, list[str]]], Server],
) -> None:
    small = serve({
        "a walrus": [answer_of(["walrus"])],
        "two cats": [answer_of(["2 cat", "dog is red"])],  # what the brief does not say
        "a dog": ['{"wants":["d'],
    })  # fmt: skip
    large = serve({"two cats": [answer_of(["2 cat"])], "a dog": ['{"wants": 7}']})
    briefs = [Brief(text="a walrus"), Brief(text="two cats"), Brief(text="a dog")]
    made = read(briefs, small.model(), RANGE, larger=[Reader(large.model())])
    assert set(large.asked) == {"two cats", "a dog"}
    assert [reading.handed_up for reading in made.each] == [
        (), ("tiny: 1 want read in two ways",), ("text: no usable answer",)
    ]  # fmt: skip
    assert made.each[2].reader == "rules"
    assert made.each[2].degraded is not None
    assert [bool(calls[-1].handed_up) for calls in made.calls] == [False, True, True]


def test_a_larger_model_that_fails_takes_no_reading_away(
    serve: Callable[[dict[str, list[str]]], Server],
) -> None:
    small = serve({"two cats": [answer_of(["2 cat", "dog is red"])]})
    large = serve({"two cats": ["no JSON at all"]})
    (reading,) = read([Brief(text="two cats")], small.model(), RANGE, larger=[Reader(large.model())]).each
    assert [r.text for r in reading.requirements] == ["two cats"]
    assert reading.reader == "tiny + rules"
    assert reading.handed_up == ("text: 1 want read in two ways",)
    assert reading.degraded is not None
