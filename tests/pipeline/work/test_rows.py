"""Files of briefs: what is taken, and what is said of the rest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.errors import BriefError, ConfigError
from pipeline.work.row import Rows
from pipeline.work.rows import parse_rows, read_rows

ROOT = Path(__file__).parents[3]


def csv(text: str, **more: object) -> Rows:
    return parse_rows(text.encode(), "csv", "stickers", "mini", **more)  # type: ignore[arg-type]


def test_csv_jsonl_and_yaml_give_the_same_rows() -> None:
    rows = csv(
        'brief,name,seed,size,must,images,image.steps,set\n'
        'a cat,Tom,3,128,"a hat; no text",4,12,loop.writer=template; image.guidance=2\n'
    )  # fmt: skip
    given = {
        "brief": "a cat", "name": "Tom", "seed": 3, "width": 128, "height": 128, "must": ["a hat", "no text"],
        "images": 4, "image.steps": 12, "set": {"loop.writer": "template", "image.guidance": 2},
    }  # fmt: skip
    as_lines = parse_rows(json.dumps(given).encode(), "jsonl", "stickers", "mini")
    as_yaml = parse_rows(json.dumps([given]).encode(), "yaml", "stickers", "mini")
    assert rows.bad == as_lines.bad == as_yaml.bad == ()
    row = rows.good[0]
    assert row.brief.must == ("a hat", "no text")
    assert (row.brief.name, row.brief.seed, row.brief.width) == ("tom", 3, 128)
    assert row.brief.limits.images == 4
    assert (row.preset.image.steps, row.preset.image.guidance, row.preset.loop.writer) == (12, 2, "template")
    assert row.id == as_lines.good[0].id == as_yaml.good[0].id


def test_a_bad_row_is_reported_with_its_line_and_others_are_used() -> None:
    rows = csv(
        "\ufeffbrief;name;seed;width;height;preset;image.steps\n"
        "a cat;;;;;;\n"
        ";nameless;;;;;\n"
        '"a dog\nand a bone";;7;;;;\n'
        "a fox;;minus one;;;;\n"
        "a bee;;;5;;;\n"
        "an owl;;;128;64;;\n"
        "\n"
        "a car;;;;;minni;\n"
        "a bus;;;;;;many\n"
        "a key;;;;;;;;extra\n"
        f"{'x' * 5000};;;;;;\n"
    )
    assert [(row.line, row.brief.text) for row in rows.good] == [(2, "a cat"), (4, "a dog and a bone")]
    told = {bad.line: bad.why for bad in rows.bad}
    assert list(told) == [3, 6, 7, 8, 10, 11, 12, 13]
    for line, says in (
        (3, "the brief is empty"), (6, "seed"), (7, "width"), (8, "paints squares"), (10, "did you mean mini?"),
        (11, "image.steps"), (12, "9 cells but 7 columns"), (13, "shorten it"),
    ):  # fmt: skip
        assert says in told[line]
        assert "\n" not in told[line]
    assert rows.bad[1].text == "a fox"


@pytest.mark.parametrize(
    ("column", "cell", "says"),
    [
        ("seed", "x", "seed: 'x' is not a whole number"),
        ("seed", "1.5", "seed: '1.5' is not a whole number"),
        ("seed", "-1", "seed: -1 is too small; the least is 0"),
        ("width", "5000", "width: 5000 is too large; the most is 4,096"),
        ("images", "0", "images: 0 is too small; give more than 0"),
        ("seconds", "soon", "seconds: 'soon' is not a number"),
        ("money", "1", "money: mini: machine.price is 0"),
        ("loop.money", "1", "loop.money: machine.price is 0"),
        ("loop.attempt.money", "1", "loop.attempt.money: machine.price is 0"),
        ("joules", "inf", "joules: 'inf' is not a number"),
        ("name", "x" * 201, "name: longer than 200 characters; shorten it"),
        ("seed", "9" * 60, f"seed: {'9' * 39}… is too large; give less than 9,223,372,036,854,775,808"),
        ("seed", "x" * 60, f"seed: '{'x' * 38}… is not a whole number"),
    ],
)
def test_errors_of_a_row_in_plain_words(column: str, cell: str, says: str) -> None:
    (bad,) = csv(f"brief,{column}\na cat,{cell}\n").bad
    assert says in bad.why
    assert len(bad.why) < 120


@pytest.mark.parametrize(
    ("kind", "text", "says"),
    [
        ("csv", "", "no briefs found"),
        ("csv", "brief\n", "no briefs found"),
        ("csv", "name,seed\nx,1\n", "no column named brief"),
        ("csv", "brief,sed\na cat,1\n", "did you mean seed?"),
        ("csv", "brief,brief\na cat,a dog\n", "two columns"),
        ("csv", "brief,,seed\na cat,,1\n", "without a name"),
        ("yaml", "brief: a cat", "not a list"),
        ("yaml", "- [", "not YAML"),
        ("yaml", "[" * 5000, "not YAML"),
        ("jsonl", "\n\n", "no briefs found"),
    ],
)
def test_a_file_that_cannot_be_used_is_reported_in_one_line(kind: str, text: str, says: str) -> None:
    with pytest.raises(BriefError, match=says) as caught:
        parse_rows(text.encode(), kind, "x", "mini")
    assert "\n" not in str(caught.value)


def test_bad_lines_of_jsonl_and_yaml_are_reported() -> None:
    rows = parse_rows(
        b'{"brief": "a cat"}\nnonsense\n\n{"brif": "a dog"}\n"a bus"\n[1]\n', "jsonl", "x", "mini"
    )
    assert [row.brief.text for row in rows.good] == ["a cat", "a bus"]
    assert [(bad.line, bad.why.split(" (")[0].split(";")[0]) for bad in rows.bad] == [
        (2, "not JSON"), (4, "unknown column 'brif'"), (6, "not a brief: [1]"),
    ]  # fmt: skip
    rows = parse_rows(b"# stickers\n- a cat\n- brief: a dog\n  seed: -1\n- {}\n- 7\n", "yaml", "x", "mini")
    assert [row.line for row in rows.good] == [2]
    assert [bad.line for bad in rows.bad] == [3, 5, 6]
    with pytest.raises(BriefError, match="not UTF-8"):
        parse_rows(b"brief\n\xff\xfe", "csv", "x", "mini")


def test_names_come_from_the_rows_and_are_all_different() -> None:
    rows = csv("brief,name\na cat,\na cat,\nA cat!,\na dog,a cat\n../../etc,../x\n")
    assert [row.brief.name for row in rows.good] == ["a-cat", "a-cat-2", "a-cat-3", "a-cat-4", "x"]
    assert len({row.id for row in rows.good}) == 5


def test_a_run_keeps_its_id_when_the_file_grows() -> None:
    before = csv("brief\na cat\na dog\n")
    after = csv("brief\na bus\na cat\na dog\n")
    assert {row.id for row in before.good} < {row.id for row in after.good}
    assert csv("brief\na cat\n", seed=1).good[0].id != before.good[0].id
    assert csv("brief\na cat\n", overrides=["image.steps=9"]).good[0].id != before.good[0].id


def test_a_wrong_preset_is_reported_once() -> None:
    with pytest.raises(ConfigError, match="did you mean"):
        csv("brief\na cat\na dog\n", overrides=["image.stepz=3"])


def test_the_file_type_follows_from_the_suffix(tmp_path: Path) -> None:
    assert len(read_rows(ROOT / "tests/data/stickers.csv", "mini").good) == 5
    for name, says in (("x.txt", "use a file named .csv"), ("no.csv", "cannot be read")):
        with pytest.raises(BriefError, match=says):
            read_rows(tmp_path / name, "mini")


@pytest.mark.parametrize(
    "change",
    [
        {"text.base_url": "http://10.0.0.1/v1"},
        {"set": "text.api_key_env=HOME"},
        {
            "set": {
                "text": {"kind": "server", "base_url": "http://10.0.0.1", "model": "x", "api_key_env": "HOME"}
            }
        },
        {" image.model": "/etc"},
        {"set": " scorer.model = /etc"},
        {"judge.measured": "/etc/shadow"},
        {"escalate.model": "/etc"},
        {"machine.price": 1},
        {"loopy.images": 1},
        {"judge.default.pass": 0.1},
        {"preset": "/etc/shadow.yaml"},
        {"preset": "../../secret.yml"},
        {"preset": "./mini.yaml"},
    ],
)
def test_rows_of_anybody_change_harmless_keys_only(change: dict[str, object], tmp_path: Path) -> None:
    data = json.dumps({"brief": "a cat", **change}).encode()
    (bad,) = parse_rows(data, "jsonl", "x", "mini").bad
    assert "--trust-rows" in bad.why
    assert "root:" not in bad.why


def test_rows_of_the_owner_change_any_key(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text((ROOT / "configs/mini.yaml").read_text())
    lines = [{"brief": "a cat", "judge.default.pass": 0.9}, {"brief": "a dog", "preset": str(mine)}]
    rows = parse_rows("\n".join(map(json.dumps, lines)).encode(), "jsonl", "x", "mini", trusted=True)
    assert [row.preset.name for row in rows.good] == ["mini", "mine"]
    assert rows.good[0].preset.judge.default.pass_ == 0.9
    assert not parse_rows(b"brief\na cat\n", "csv", "x", str(mine)).bad  # the default preset is the caller's


@pytest.mark.parametrize(
    "data",
    [
        b"brief,seed\r\na cat,1\r\na dog,2\r\n",
        b"brief,seed\ra cat,1\ra dog,2\r",
        "brief\tseed\na cat\t1\na dog\t2\n".encode("utf-16"),
        b"\xef\xbb\xbfsep=;\r\nbrief;seed\r\na cat;1\r\na dog;2\r\n",
        b'"sep=|"\nbrief|seed\na cat|1\na dog|2\n',
        b"brief,seed,,\na cat,1,,\na dog,2,,\n",
        b"brief,seed\na cat,1,,,\na dog,2\n",
    ],
)
def test_csv_as_spreadsheets_write_it(data: bytes) -> None:
    rows = parse_rows(data, "csv", "x", "mini")
    assert rows.bad == ()
    assert [(row.brief.text, row.brief.seed) for row in rows.good] == [("a cat", 1), ("a dog", 2)]
    first = 3 if b"sep=" in data else 2
    assert [row.line for row in rows.good] == [first, first + 1]


def test_a_cell_without_a_column_is_reported() -> None:
    (bad,) = csv("brief,\na cat,1\n").bad
    assert "2 cells but 1 columns" in bad.why


def test_yaml_means_what_was_typed() -> None:
    rows = parse_rows(
        b"- {brief: 2:30, seed: 010, name: 2020-01-01}\n- {brief: no, name: off}\n", "yaml", "x", "mini"
    )
    assert [(row.brief.text, row.brief.name) for row in rows.good] == [("2:30", "2020-01-01"), ("no", "off")]
    assert rows.good[0].brief.seed == 10


BOMB = "- &a [x, x]\n" + "".join(
    f"- &{b} [*{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize("text", [BOMB, "- &a {brief: *a}", "- brief: &x a cat\n- brief: *x\n"])
def test_aliases_are_refused(text: str) -> None:
    with pytest.raises(BriefError, match="aliases are not allowed"):
        parse_rows(text, "yaml", "x", "mini")


@pytest.mark.parametrize(
    ("kind", "row"),
    [
        ("yaml", "- {brief: a cat, set: {image.steps: 2020-01-01}}"),
        ("yaml", "- {brief: a cat, seed: " + "9" * 5000 + "}"),
        ("yaml", "- {brief: a cat, size: " + "9" * 5000 + "}"),
        ("yaml", "- {brief: a cat, [1]: 2}"),
        ("yaml", "- !!python/object:os.system {brief: a cat}"),
        ("jsonl", '{"brief": "a cat", "set": ' + '{"a": ' * 500 + "1" + "}" * 501),
        ("jsonl", '{"brief": "a cat", "must": ' + "[" * 100_000 + "}"),
        ("jsonl", '{"brief": "a cat", "seed": ' + "9" * 5000 + "}"),
        ("jsonl", '{"brief": "a cat", "loop.images": "*a"}'),
        ("jsonl", '{"brief": "a cat", "loop.images": "!!int x"}'),
        ("jsonl", '{"brief": {"a": 1}}'),
        ("csv", "a cat,loop.images=" + "[" * 3000),
    ],
)
def test_one_bad_row_stops_no_other(kind: str, row: str) -> None:
    head = {"csv": "brief,set\n", "yaml": "- a dog\n", "jsonl": '"a dog"\n'}[kind]
    rows = parse_rows(head + row + "\n" + {"csv": "a dog,\n"}.get(kind, ""), kind, "x", "mini")
    assert [row.brief.text for row in rows.good] == ["a dog"]
    assert len(rows.bad) == 1
    assert len(rows.bad[0].why) < 600


def test_equal_briefs_get_their_names_in_one_step_each() -> None:
    rows = csv("brief\n" + "a cat\n" * 30 + "a cat 2\n" + "a cat\n")
    names = [row.brief.name for row in rows.good]
    assert len(set(names)) == 32
    assert names[:3] == ["a-cat", "a-cat-2", "a-cat-3"]


def test_columns_that_easel_does_not_know_are_kept() -> None:
    rows = csv("SKU,brief,seed,Notes,Client\nA-1,a cat,1,for Tom,\n,a dog,x,bad,\n")
    assert rows.good[0].extra == {"SKU": "A-1", "Notes": "for Tom"}
    assert rows.bad[0].extra == {"Notes": "bad"}
    plain = csv("brief,seed\na cat,1\n")
    assert rows.good[0].id == plain.good[0].id  # they do not change what is painted
    lines = b'{"brief": "a cat", "id": 7, "Price": 1.5}\n{"brief": "a dog", "tags": ["x"]}\n'
    rows = parse_rows(lines, "jsonl", "x", "mini")
    assert rows.good[0].extra == {"id": 7, "Price": 1.5}
    assert "tags: a key of your own holds a text or a number" in rows.bad[0].why
    rows = parse_rows(b"- {brief: a cat, id: 007}\n", "yaml", "x", "mini")
    assert set(rows.good[0].extra) == {"id"}


@pytest.mark.parametrize(
    ("column", "meant"),
    [
        ("sed", "seed"),
        ("presett", "preset"),
        ("Widht", "width"),
        ("promt", "prompt"),
        ("steps", "image.steps"),
    ],
)
def test_a_column_that_may_be_misspelt_is_refused(column: str, meant: str) -> None:
    with pytest.raises(BriefError, match=f"did you mean {meant}") as caught:
        csv(f"brief,{column}\na cat,1\n")
    assert "rename it" in str(caught.value)
    (bad,) = parse_rows(json.dumps({"brief": "a cat", column: 1}).encode(), "jsonl", "x", "mini").bad
    assert f"did you mean {meant}" in bad.why
