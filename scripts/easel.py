"""The console command. `scripts/declared` has the options of each command, `scripts/commands` what each does. Imports
stay light in the first: help and config errors answer before any library of models loads."""

from __future__ import annotations

from scripts.commands.interrupt import (  # first: it installs the handler of Ctrl-C
    BAD_INPUT,
    INTERRUPTED,
    OUTPUT_LOST,
)

# isort: split
import importlib.metadata
import json
import sys
from typing import Annotated

import typer

from models.protocols import ModelError
from pipeline.errors import EaselError
from scripts.commands.output import complaint, outlive_streams
from scripts.commands.plain import clean as without_control
from scripts.declared import compare, evaluate, look, make, models, paint
from scripts.direct import reach_loopback_directly

app = typer.Typer(
    help="Turn a brief into images that meet it, with models that run on your own machine.",
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for part in (paint, make, compare, evaluate, look, models):
    app.add_typer(part.app)


@app.callback()
def start(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="print the version")] = False,
) -> None:
    if version:
        print(f"easel {importlib.metadata.version('easel')}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())


def main() -> None:
    """Run the command. An error that the user can fix is printed as one line, with exit status 2."""
    output = outlive_streams()
    reach_loopback_directly()
    try:
        status = app(standalone_mode=False)  # outside standalone mode, the status of typer.Exit is returned
    except (EaselError, ModelError) as error:
        status = _refuse(str(error))
    except (KeyboardInterrupt, typer.Abort):
        status = _refuse("stopped", INTERRUPTED)
    except Exception as error:
        # click's usage errors can format themselves.
        if not hasattr(error, "format_message"):
            raise
        said = error.format_message().rstrip(".").replace("Value error, ", "")  # pydantic's
        status = _refuse(f"{said}; see easel --help")
    sys.stdout.flush()
    if said := complaint(output):
        status = _refuse(said, status or OUTPUT_LOST)
    sys.exit(status)


def _refuse(message: str, status: int = BAD_INPUT) -> int:
    message = without_control(" ".join(message.split()))  # messages of libraries may have several lines
    if "--json" in sys.argv:
        print(json.dumps({"error": message, "exit_status": status}, ensure_ascii=False))
    print(f"easel: {message}", file=sys.stderr)
    return status


if __name__ == "__main__":
    main()
