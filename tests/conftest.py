from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from models import device
from pipeline.calls.load import Models, load
from pipeline.config import Preset, load_preset
from tests import hub as hubs
from tests import postgres


@pytest.fixture(scope="session", autouse=True)
def signals() -> None:
    """Processes that tests start inherit which signals are ignored: some are under nohup and in the background of a
    script, where Ctrl-C and its like would reach nothing."""
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


@pytest.fixture(scope="session", autouse=True)
def bfloat16() -> Iterator[None]:
    """EASEL_TEST_BFLOAT16=1 or 0: run the tests as on a CPU that has, or has not, bfloat16 in hardware."""
    forced = os.environ.get("EASEL_TEST_BFLOAT16")
    with pytest.MonkeyPatch.context() as patch:
        if forced is not None:
            patch.setattr(device, "cpu_has_bfloat16", lambda: forced == "1")
        yield


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What a test notes, such as the memory of a run, does not count for the user's own runs; and no test signs with
    the user's key."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def loaded_once() -> Iterator[None]:
    """A bundled model is read from disk once in this process, however often a command or a test loads it. Others are
    loaded anew, since tests ask how they were loaded, and some have a memory."""
    import models.load

    loaded: dict[str, Any] = {}

    def once(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def cached(spec: Any, base: Path, *rest: Any, **more: Any) -> Any:
            if not str(spec.model).startswith("package:"):
                return real(spec, base, *rest, **more)
            key = repr((name, spec, base, rest, more))
            if key not in loaded:
                loaded[key] = real(spec, base, *rest, **more)
            elif hasattr(loaded[key], "place"):
                loaded[key].place(spec)  # a fallback may have moved it
            return loaded[key]

        return cached

    with pytest.MonkeyPatch.context() as patch:
        for name in ("load_text", "load_image", "load_scorer", "load_detector", "load_vlm", "load_ocr"):
            patch.setattr(models.load, name, once(name, getattr(models.load, name)))
        yield


@pytest.fixture(scope="session")
def mini(loaded_once: None) -> tuple[Preset, Models]:
    """The bundled preset and its models."""
    preset = load_preset("mini")
    return preset, load(preset)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[hubs.Hub]:
    """A hub on this machine, which this process asks instead of huggingface.co, with an empty cache."""
    with hubs.serve() as served:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", served.address)
        monkeypatch.setattr(
            "huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE",
            served.address + "/{repo_id}/resolve/{revision}/{filename}",
        )
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hf" / "hub"))
        for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
            monkeypatch.delenv(name, raising=False)
        yield served


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str | None]:
    with postgres.server() as address:
        yield address


@pytest.fixture(params=["sqlite", "postgres"])
def store_url(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """Where a test's store is: a file below its output folder (None), or a database of a real Postgres."""
    if request.param == "sqlite":
        yield None
        return
    address = request.getfixturevalue("postgres_server")
    if address is None:
        pytest.skip(f"no Postgres: install Debian's postgresql, or name one with {postgres.VARIABLE}")
    with postgres.database(address) as url:
        yield url
