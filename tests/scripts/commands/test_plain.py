"""Text of others on the console."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest
from rich.console import Console

from scripts.commands.plain import clean, escape


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a cat\nand a dog", "a cat\nand a dog"), ("👩‍👧", "👩‍👧"), ("\x1b[31mred\x07", "�[31mred�"),
        ("\x9b2J", "�2J"), ("a\u202eb", "a�b"), ("\r", "�"),
    ],
)  # fmt: skip
def test_control_characters_are_not_printed(text: str, shown: str) -> None:
    assert clean(text) == shown


def test_markup_is_text() -> None:
    out = io.StringIO()
    Console(file=out).print(escape("[red]a[/] \x1b]0;title\x07"))
    assert out.getvalue() == "[red]a[/] �]0;title�\n"


def test_an_error_message_has_no_escapes() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.easel", "run", "a cat", "--preset", "\x1b[2Jx"], capture_output=True, text=True
    )  # fmt: skip
    assert done.returncode == 2
    assert "\x1b" not in done.stderr
