"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

PresetName = Annotated[str, typer.Option("--preset", "-p", help="a bundled preset, or a path to a YAML file")]
Out = Annotated[Path, typer.Option(help="output folder")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="change a key of the preset, for example image.steps=12"),
]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON on standard output")]
StoreUrl = Annotated[
    str | None,
    typer.Option("--store", help="postgresql://USER@HOST/DATABASE; default: easel.db in the --out folder"),
]
TrustRows = Annotated[
    bool,
    typer.Option(
        "--trust-rows",
        help="the file is your own: its rows may set any key of a preset, and name preset files",
    ),
]
