"""HTML of the page, by templates that escape all text that they are given."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("ui", "templates"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip


def render(name: str, **values: Any) -> str:
    """The template of this name, filled in."""
    return _environment().get_template(f"{name}.html.j2").render(values)
