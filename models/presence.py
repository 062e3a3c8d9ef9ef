"""Whether a model's weights are on this machine, without loading or downloading them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from models.locate import locate, reach_hub, weights_missing
from models.protocols import ModelError, WeightsMissing
from models.specs import OpenClipScorer, ServerText, Spec, TransformersText


def weights_at_hand(spec: Spec, base: Path) -> str:
    """Where the weights are, in words. Raises ModelError, naming the next step, where they are not."""
    if isinstance(spec, ServerText):
        return _server(spec)
    model = _model(spec)
    found = locate(model, base)
    if isinstance(found, str):
        return _cached(found, getattr(spec, "revision", None))
    wanted = (spec.gguf_file if isinstance(spec, TransformersText) else None) or "*.safetensors"
    files = list(found.rglob(wanted))
    if not files:
        raise WeightsMissing(f"{found} holds no {wanted}; restore the folder or correct `model: {model}`")
    return f"{sum(file.stat().st_size for file in files) / 1e6:.1f} MB in {found.name}"


def can_load(specs: Sequence[Spec], base: Path) -> None:
    """Raises ModelError where loading would fail after minutes for what can be seen in a second: a folder that
    is not there, a model that is neither cached nor to be downloaded. Where a server does not answer, the run
    goes on without it and says so."""
    for spec in specs:
        if isinstance(spec, ServerText):
            continue
        try:
            weights_at_hand(spec, base)
        except WeightsMissing:
            if not isinstance(found := locate(_model(spec), base), str):
                raise
            reach_hub(found)


def _model(spec: Spec) -> str:
    model = str(getattr(spec, "model", ""))
    if isinstance(spec, OpenClipScorer) and spec.pretrained:
        model = _pretrained(model, spec.pretrained)
    return model.removeprefix("hf-hub:")


def _cached(hub_id: str, revision: str | None) -> str:
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(hub_id, revision=revision, local_files_only=True))
    except (OSError, ValueError):
        raise weights_missing(hub_id) from None
    return f"{hub_id} in the local cache ({folder.name[:12]})"


def _pretrained(model: str, tag: str) -> str:
    import open_clip

    config = open_clip.get_pretrained_cfg(model, tag)
    if not config or not config.get("hf_hub"):
        raise ModelError(f"open_clip knows no weights {tag!r} for {model!r}; see open_clip.list_pretrained()")
    return str(config["hf_hub"]).rstrip("/")


def _server(spec: ServerText) -> str:
    import httpx

    try:
        httpx.get(f"{spec.base_url.rstrip('/')}/models", timeout=2.0)  # an answer of 401 is one, too
    except (httpx.HTTPError, httpx.InvalidURL):
        raise ModelError(f"no server answers at {spec.base_url}; start one or correct `base_url`") from None
    return f"a server answers at {spec.base_url}"
