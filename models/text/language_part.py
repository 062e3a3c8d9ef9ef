"""The language model inside a checkpoint that also reads pictures (Qwen3.5): it uses the weights of the whole network,
so a vision-language model that names the same checkpoint needs no second copy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class LanguagePart:
    """`whole`: the class that loads the network; `kind`: the causal language model in it; `config`: of that."""

    whole: Any
    kind: Any
    config: Any

    def of(self, network: Any) -> Any:
        """The causal language model with the weights of `network`."""
        import torch

        with torch.device("meta"):
            part = self.kind(self.config)
        part.model, part.lm_head = network.get_decoder(), network.get_output_embeddings()
        part.generation_config = network.generation_config
        return part.eval().requires_grad_(False)


def language_part(folder: Path) -> LanguagePart | None:
    """Of the checkpoint in a folder; None where it reads no pictures, or transformers has no causal language model for
    its language part. Raises OSError and ValueError as AutoConfig does."""
    from transformers import (
        MODEL_FOR_CAUSAL_LM_MAPPING,
        MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING,
        AutoConfig,
        AutoModelForImageTextToText,
    )

    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    language = config.get_text_config()
    if language is config or type(config) not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING:
        return None
    if type(language) not in MODEL_FOR_CAUSAL_LM_MAPPING:
        return None
    return LanguagePart(AutoModelForImageTextToText, MODEL_FOR_CAUSAL_LM_MAPPING[type(language)], language)
