"""Whether weights are on this machine, without loading or downloading them."""

from __future__ import annotations

from pathlib import Path

from models.locate import locate
from models.protocols import NotCached, WeightsMissing


def find_weights(location: str, base: Path, revision: str | None = None, files: str = "*.safetensors") -> str:
    """Where the weights of a `model` location are, in words. `files`: the pattern of weight files in a folder.

    Raises NotCached for a hub model that is not in the local cache, WeightsMissing for a folder without weights.
    """
    found = locate(location, base)
    if isinstance(found, str):
        return _cached(found, revision)
    weights = list(found.rglob(files))
    if not weights:
        raise WeightsMissing(f"{found} holds no {files}; restore the folder or correct `model: {location}`")
    return f"{sum(file.stat().st_size for file in weights) / 1e6:.1f} MB in {found.name}"


def _cached(hub_id: str, revision: str | None) -> str:
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(hub_id, revision=revision, local_files_only=True))
    except (OSError, ValueError):
        raise NotCached(hub_id) from None
    return f"{hub_id} in the local cache ({folder.name[:12]})"
