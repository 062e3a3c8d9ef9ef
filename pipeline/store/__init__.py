"""The store: what Easel remembers across runs and processes.

    store.runs        briefs, their attempts, candidates, checks and model calls
    store.figures     what became of given runs, for reports
    store.statistics  counts over the whole history
    store.results     kept answers of models, by the hash of everything that decides them
    store.pictures    images as files named by their content
    store.jobs        work for `easel worker`
    store.reviews     decisions of people
    store.bases       what is known about judges: people's answers, and their own measurements

One SQLite file below the output folder, or Postgres by URL; pictures are files in either case.
"""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path

from pipeline.errors import OutputError, StoreError
from pipeline.store.bases import Bases
from pipeline.store.engine import FILE, open_engine
from pipeline.store.figures import Figures
from pipeline.store.jobs import Jobs
from pipeline.store.pictures import Pictures
from pipeline.store.results import Results
from pipeline.store.reviews import Reviews
from pipeline.store.runs import Runs
from pipeline.store.statistics import Statistics

VARIABLE = "EASEL_STORE"


class Store:
    """`out` holds run folders and pictures; `url` the database, by default out/easel.db or EASEL_STORE."""

    def __init__(self, out: Path, url: str | None = None, *, create: bool = True) -> None:
        self.out = out
        if not create and not out.is_dir():
            raise StoreError(f"no store in {out}; name the output folder of earlier runs with --out")
        try:
            out.mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            raise OutputError(f"{out} is a file; name a folder with --out") from None
        except NotADirectoryError:
            raise OutputError(f"{out} lies inside a file; name a folder with --out") from None
        except OSError as error:
            raise OutputError(
                f"cannot write to {out} ({error.strerror}); choose another folder with --out"
            ) from None
        given = url or os.environ.get(VARIABLE)
        self.own = given is None  # the database is in the output folder, and belongs to it alone
        self.url = given or f"sqlite:///{out / FILE}"
        self.engine = open_engine(self.url, create)

    @classmethod
    def existing(cls, out: Path, url: str | None = None) -> Store:
        """A store that is there already. Raises StoreError where there is none, instead of creating one."""
        if not (url or os.environ.get(VARIABLE) or (out / FILE).exists()):
            raise StoreError(f"no store in {out}; name the output folder of earlier runs with --out")
        return cls(out, url, create=False)

    @cached_property
    def pictures(self) -> Pictures:
        return Pictures(self.out)

    @cached_property
    def results(self) -> Results:
        return Results(self.engine, self.pictures)

    @cached_property
    def runs(self) -> Runs:
        return Runs(self.engine, self.pictures)

    @cached_property
    def figures(self) -> Figures:
        return Figures(self.engine)

    @cached_property
    def statistics(self) -> Statistics:
        return Statistics(self.engine)

    @cached_property
    def jobs(self) -> Jobs:
        return Jobs(self.engine)

    @cached_property
    def reviews(self) -> Reviews:
        return Reviews(self.engine)

    @cached_property
    def bases(self) -> Bases:
        return Bases(self.engine)

    def close(self) -> None:
        self.engine.dispose()
