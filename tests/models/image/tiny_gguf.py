"""GGUF files of the networks of tiny checkpoints: the names of the original code, matrices in 8 bits (Q8_0), as tools
for GGUF write them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any


def make_flux2_gguf(folder: Path, checkpoint: Path) -> Path:
    """The transformer of a FLUX.2 checkpoint."""
    import numpy as np

    renamed = {
        "x_embedder": "img_in",
        "context_embedder": "txt_in",
        "time_guidance_embed.timestep_embedder.linear_1": "time_in.in_layer",
        "time_guidance_embed.timestep_embedder.linear_2": "time_in.out_layer",
        "double_stream_modulation_img.linear": "double_stream_modulation_img.lin",
        "double_stream_modulation_txt.linear": "double_stream_modulation_txt.lin",
        "single_stream_modulation.linear": "single_stream_modulation.lin",
        "norm_out.linear": "final_layer.adaLN_modulation.1",
        "proj_out": "final_layer.linear",
        "attn.norm_q": "img_attn.norm.query_norm",
        "attn.norm_k": "img_attn.norm.key_norm",
        "attn.norm_added_q": "txt_attn.norm.query_norm",
        "attn.norm_added_k": "txt_attn.norm.key_norm",
        "attn.to_out.0": "img_attn.proj",
        "attn.to_add_out": "txt_attn.proj",
        "ff.linear_in": "img_mlp.0",
        "ff.linear_out": "img_mlp.2",
        "ff_context.linear_in": "txt_mlp.0",
        "ff_context.linear_out": "txt_mlp.2",
    }
    single = {
        "attn.to_qkv_mlp_proj": "linear1",
        "attn.to_out": "linear2",
        "attn.norm_q": "norm.query_norm",
        "attn.norm_k": "norm.key_norm",
    }

    def original(name: str) -> str:
        place, _, kind = name.rpartition(".")
        kind = "scale" if ".norm_" in place else kind
        if place.startswith("single_transformer_blocks."):
            _, number, rest = place.split(".", 2)
            return f"single_blocks.{number}.{single[rest]}.{kind}"
        if place.startswith("transformer_blocks."):
            _, number, rest = place.split(".", 2)
            return f"double_blocks.{number}.{renamed[rest]}.{kind}"
        return f"{renamed[place]}.{kind}"

    def changed(weights: dict[str, Any]) -> dict[str, Any]:
        parts = {"img_attn": ("to_q", "to_k", "to_v"), "txt_attn": ("add_q_proj", "add_k_proj", "add_v_proj")}
        fused = {}
        for block in {name.split(".")[1] for name in weights if name.startswith("transformer_blocks.")}:
            for attention, three in parts.items():
                rows = [weights.pop(f"transformer_blocks.{block}.attn.{one}.weight") for one in three]
                fused[f"double_blocks.{block}.{attention}.qkv.weight"] = np.concatenate(rows)
        scale, shift = np.split(weights["norm_out.linear.weight"], 2)
        weights["norm_out.linear.weight"] = np.concatenate([shift, scale])
        return fused | {original(name): value for name, value in weights.items()}

    return _write(folder, checkpoint, "flux", changed)


def make_z_image_gguf(folder: Path, checkpoint: Path) -> Path:
    """The transformer of a Z-Image checkpoint."""
    import numpy as np

    renamed = {
        "all_final_layer.2-1.": "final_layer.",
        "all_x_embedder.2-1.": "x_embedder.",
        ".attention.to_out.0.": ".attention.out.",
        ".attention.norm_k.": ".attention.k_norm.",
        ".attention.norm_q.": ".attention.q_norm.",
    }

    def changed(weights: dict[str, Any]) -> dict[str, Any]:
        for query in [name for name in weights if name.endswith(".attention.to_q.weight")]:
            three = [query.replace("to_q", one) for one in ("to_q", "to_k", "to_v")]
            weights[query.replace("to_q", "qkv")] = np.concatenate([weights.pop(name) for name in three])
        found = {}
        for name, value in weights.items():
            for ours, theirs in renamed.items():
                name = name.replace(ours, theirs)
            found[name] = value
        return found

    return _write(folder, checkpoint, "lumina2", changed)


def _write(
    folder: Path, checkpoint: Path, architecture: str, changed: Callable[[dict[str, Any]], dict[str, Any]]
) -> Path:
    import gguf
    from gguf.quants import quantize
    from safetensors.numpy import load_file

    folder.mkdir(parents=True)
    file = folder / f"{architecture}-Q8_0.gguf"
    (weights,) = (checkpoint / "transformer").glob("*.safetensors")
    writer = gguf.GGUFWriter(file, architecture)
    eight = gguf.GGMLQuantizationType.Q8_0
    for name, value in changed(load_file(weights)).items():
        if value.ndim == 2 and value.shape[1] % 32 == 0 and not name.endswith("_pad_token"):
            writer.add_tensor(name, quantize(value, eight), raw_dtype=eight)
        else:
            writer.add_tensor(name, value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file
