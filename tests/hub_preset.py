"""A preset on tiny checkpoints that are on a hub, not in folders."""

from __future__ import annotations

from pathlib import Path

import yaml

from tests.hub import Repository
from tests.models.image.tiny_image import make_lora
from tests.models.text.tiny_text import save_lora, save_tiny
from tests.pipeline.tiny_preset import write_preset

_FOLDERS = {
    "painter": "sd_tiny_vae",
    "lora": "lora",
    "text": "text",
    "adapter": "adapter",
    "judge": "siglip",
}


def write_hub_preset(folder: Path) -> tuple[Path, dict[str, Repository]]:
    """A preset file whose models, LoRA and adapter are all on the hub, at pinned revisions, and their repositories by
    hub id."""
    path = write_preset(folder, loop={"reader": "model", "images": 1})
    save_tiny(folder / "text", max_position_embeddings=2048)
    save_lora(folder / "text", folder / "adapter")
    make_lora(folder / "lora", folder / "sd_tiny_vae")
    found = {f"owner/{name}": Repository.of(folder / source) for name, source in _FOLDERS.items()}
    found["owner/painter"].files["sd_tiny_vae.safetensors"] = b"everything once more, in one file"
    found["owner/judge"].licence = "cc-by-nc-4.0"

    def at(name: str) -> dict[str, str]:
        return {"model": f"owner/{name}", "revision": found[f"owner/{name}"].commit}

    said = yaml.safe_load(path.read_text())
    said["text"] |= at("text") | {"adapter": "owner/adapter"}
    said["image"] |= at("painter") | {"loras": [at("lora")], "fallback": [{"steps": 1}]}
    said["judges"]["scorer"] |= at("judge") | {"model": "hf-hub:owner/judge"}
    said["offline"] = False
    path = path.rename(folder / "fetched.yaml")
    path.write_text(yaml.safe_dump(said))
    return path, found
