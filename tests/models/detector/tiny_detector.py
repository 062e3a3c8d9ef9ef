"""Tiny detectors with random weights and real processors, saved to folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

SIDE = 64  # pixels at which they work
COCO = {0: "person", 1: "Wine Glasses", 2: "bus", 3: "skis", 4: "scissors", 5: "Sheep", 6: "Teddy bears"}
WORDS = (
    "a",
    "photo",
    "of",
    "cat",
    "polar",
    "bear",
    "red",
    "umbrella",
    "dog",
    "traffic",
    "light",
    "st",
    "what",
)


def make_grounding(folder: Path) -> Path:
    """An MM-Grounding-DINO: a Swin backbone, a BERT, two layers each."""
    import torch
    from transformers import (
        BertConfig,
        BertTokenizerFast,
        GroundingDinoImageProcessor,
        GroundingDinoProcessor,
        MMGroundingDinoConfig,
        MMGroundingDinoForObjectDetection,
        SwinConfig,
    )

    folder.mkdir(parents=True)
    # The network knows the delimiters by their numbers in BERT's vocabulary.
    words = [f"[unused{number}]" for number in range(1040)]
    words[0], words[100:104] = "[PAD]", ["[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words[1012], words[1029] = ".", "?"
    words[200 : 200 + len(WORDS)] = WORDS
    (folder / "vocab.txt").write_text("\n".join(words))
    tokenizer = BertTokenizerFast.from_pretrained(folder)
    size = {"height": SIDE, "width": SIDE}
    GroundingDinoProcessor(GroundingDinoImageProcessor(size=size, do_pad=False), tokenizer).save_pretrained(
        folder
    )
    swin = SwinConfig(
        image_size=SIDE, patch_size=4, embed_dim=16, depths=[1, 1, 1], num_heads=[1, 2, 4], window_size=4,
        out_features=["stage1", "stage2", "stage3"],
    )  # fmt: skip
    bert = BertConfig(
        vocab_size=len(words), hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=64,
    )  # fmt: skip
    torch.manual_seed(3)
    config = MMGroundingDinoConfig(
        backbone_config=swin, text_config=bert, num_queries=30, d_model=32, encoder_layers=1, decoder_layers=2,
        encoder_ffn_dim=32, decoder_ffn_dim=32, encoder_attention_heads=2, decoder_attention_heads=2,
        num_feature_levels=3, max_text_len=24, disable_custom_kernels=True,
    )  # fmt: skip
    return _save(MMGroundingDinoForObjectDetection(config), folder)


def make_owlv2(folder: Path) -> Path:
    """An OWLv2 of two layers; its tokenizer is CLIP's with a vocabulary of its own."""
    import torch
    from tokenizers import pre_tokenizers
    from transformers import (
        CLIPTokenizerFast,
        Owlv2Config,
        Owlv2ForObjectDetection,
        Owlv2ImageProcessor,
        Owlv2Processor,
    )

    folder.mkdir(parents=True)
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    tokenizer = CLIPTokenizerFast(vocab=vocabulary, merges=[], pad_token="<|endoftext|>", model_max_length=40)
    size = {"height": SIDE, "width": SIDE}
    Owlv2Processor(Owlv2ImageProcessor(size=size), tokenizer).save_pretrained(folder)
    layers = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = Owlv2Config(
        text_config={
            **layers, "vocab_size": len(tokens), "max_position_embeddings": 40,
            "pad_token_id": vocabulary["<|endoftext|>"], "eos_token_id": vocabulary["<|endoftext|>"],
            "bos_token_id": vocabulary["<|startoftext|>"],
        },
        vision_config={**layers, "image_size": SIDE, "patch_size": 16},
        projection_dim=32, initializer_factor=4.0,
    )  # fmt: skip
    torch.manual_seed(5)
    return _save(Owlv2ForObjectDetection(config), folder)


def make_rt_detr(folder: Path) -> Path:
    """An RT-DETR v2 with a residual backbone, which knows the things of COCO."""
    import torch
    from transformers import (
        RTDetrImageProcessor,
        RTDetrResNetConfig,
        RTDetrV2Config,
        RTDetrV2ForObjectDetection,
    )

    backbone = RTDetrResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 1, 1], layer_type="basic",
        out_features=["stage2", "stage3", "stage4"],
    )  # fmt: skip
    config = RTDetrV2Config(backbone_config=backbone, encoder_in_channels=[16, 24, 32], **_DETR)
    torch.manual_seed(7)
    RTDetrImageProcessor(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)
    return _save(RTDetrV2ForObjectDetection(config), folder)


def make_d_fine(folder: Path) -> Path:
    """A D-FINE with an HGNet backbone."""
    import torch
    from transformers import DFineConfig, DFineForObjectDetection, HGNetV2Config, RTDetrImageProcessor

    backbone = HGNetV2Config(
        stem_channels=[3, 8, 8], stage_in_channels=[8, 16, 24, 32], stage_mid_channels=[8, 8, 8, 8],
        stage_out_channels=[16, 24, 32, 40], stage_num_blocks=[1, 1, 1, 1], stage_numb_of_layers=[1, 1, 1, 1],
        stage_downsample=[False, True, True, True], stage_light_block=[False] * 4, stage_kernel_size=[3] * 4,
        embedding_size=8, hidden_sizes=[16, 24, 32, 40], depths=[1, 1, 1, 1],
        out_features=["stage2", "stage3", "stage4"],
    )  # fmt: skip
    config = DFineConfig(backbone_config=backbone, encoder_in_channels=[24, 32, 40], **_DETR)
    torch.manual_seed(9)
    RTDetrImageProcessor(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)
    return _save(DFineForObjectDetection(config), folder)


_DETR = {
    "id2label": COCO, "d_model": 32, "encoder_hidden_dim": 32, "encoder_layers": 1, "decoder_layers": 2,
    "encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "encoder_attention_heads": 2, "decoder_attention_heads": 2,
    "decoder_in_channels": [32, 32, 32], "num_queries": 20, "num_denoising": 0, "initializer_bias_prior_prob": 0.5,
}  # fmt: skip


def _save(model: Any, folder: Path) -> Path:
    """Save a model whose boxes are spread over the image and beyond; as they are made, all are alike."""
    import torch

    with torch.no_grad():
        for name, weight in model.named_parameters():
            if any(part in name for part in ("bbox_embed", "box_head")):
                weight.normal_(std=0.4)
    model.eval().save_pretrained(folder)
    return folder
