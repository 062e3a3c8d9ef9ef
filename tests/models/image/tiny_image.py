"""Tiny randomly initialised image checkpoints, one for each architecture that a preset may name.

They are real diffusers folders, saved by save_pretrained and loaded as any other: only the sizes are small.
Each maker writes one folder and returns it; `MAKERS` names them all.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

SIZE = 64  # pixels a side that every checkpoint paints

CHAT = "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"


def make_sd(folder: Path) -> Path:
    """Stable Diffusion 1.x: UNet, AutoencoderKL, one CLIP text tower, eps prediction, and a safety checker
    that the loader must leave out."""
    from diffusers import PNDMScheduler, StableDiffusionPipeline
    from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
    from transformers import CLIPConfig, CLIPImageProcessor

    _seed(0)
    tower = {"hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    checker = StableDiffusionSafetyChecker(
        CLIPConfig(
            text_config={**tower, "vocab_size": 10},
            vision_config={**tower, "image_size": 16, "patch_size": 8},
            projection_dim=8,
        )
    )
    pipe = StableDiffusionPipeline(
        vae=_autoencoder_kl(),
        text_encoder=_clip_text(),
        tokenizer=clip_tokenizer(),
        unet=_unet(cross_attention_dim=32),
        scheduler=PNDMScheduler(**_SD_SCHEDULE, skip_prk_steps=True),
        safety_checker=checker,
        feature_extractor=CLIPImageProcessor(crop_size=16, size=16),
    )
    return _save(pipe, folder)


def make_sd_tiny_vae(folder: Path) -> Path:
    """Stable Diffusion with AutoencoderTiny, v prediction and Euler with trailing spacing."""
    from diffusers import AutoencoderTiny, EulerDiscreteScheduler, StableDiffusionPipeline

    _seed(1)
    pipe = StableDiffusionPipeline(
        vae=AutoencoderTiny(
            encoder_block_out_channels=(16, 16),
            decoder_block_out_channels=(16, 16),
            num_encoder_blocks=(1, 1),
            num_decoder_blocks=(1, 1),
        ),
        text_encoder=_clip_text(),
        tokenizer=clip_tokenizer(),
        unet=_unet(cross_attention_dim=32),
        scheduler=EulerDiscreteScheduler(
            **_SD_SCHEDULE, prediction_type="v_prediction", timestep_spacing="trailing"
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    return _save(pipe, folder)


def make_sdxl(folder: Path) -> Path:
    """Stable Diffusion XL: two text towers, pooled text and size embeddings."""
    from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline

    _seed(2)
    pipe = StableDiffusionXLPipeline(
        vae=_autoencoder_kl(),
        text_encoder=_clip_text(),
        text_encoder_2=_clip_text(projected=True),
        tokenizer=clip_tokenizer(),
        tokenizer_2=clip_tokenizer(),
        unet=_unet(
            cross_attention_dim=64,
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=6 * 8 + 32,
        ),
        scheduler=EulerDiscreteScheduler(**_SD_SCHEDULE, timestep_spacing="leading"),
        add_watermarker=False,
    )
    return _save(pipe, folder)


def make_flux(folder: Path) -> Path:
    """FLUX.1: packed latents, CLIP and T5 text encoders, guidance as an input of the network."""
    from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel
    from transformers import T5Config, T5EncoderModel

    _seed(8)
    tokenizer = t5_tokenizer()
    pipe = FluxPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        vae=_autoencoder_kl(scaling_factor=0.3611, shift_factor=0.1159),
        text_encoder=_clip_text(),
        tokenizer=clip_tokenizer(),
        text_encoder_2=T5EncoderModel(
            T5Config(vocab_size=len(tokenizer), d_model=32, d_kv=16, d_ff=37, num_layers=1, num_heads=2)
        ),
        tokenizer_2=tokenizer,
        transformer=FluxTransformer2DModel(
            patch_size=1,
            in_channels=16,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=32,
            pooled_projection_dim=32,
            axes_dims_rope=(4, 4, 8),
            guidance_embeds=True,
        ),
    )
    return _save(pipe, folder)


def make_flux2_klein(folder: Path) -> Path:
    """FLUX.2 klein: packed latents, a batch norm between latents and autoencoder, a Qwen3 text encoder."""
    from diffusers import (
        AutoencoderKLFlux2,
        FlowMatchEulerDiscreteScheduler,
        Flux2KleinPipeline,
        Flux2Transformer2DModel,
    )

    _seed(3)
    pipe = Flux2KleinPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        vae=AutoencoderKLFlux2(
            block_out_channels=(8, 16),
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            layers_per_block=1,
            latent_channels=4,
            norm_num_groups=4,
            sample_size=SIZE,
            patch_size=(2, 2),
            mid_block_add_attention=False,
        ),
        text_encoder=_qwen3(layers=3),
        tokenizer=qwen_tokenizer(),
        transformer=Flux2Transformer2DModel(
            patch_size=1,
            in_channels=16,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=3 * 32,
            timestep_guidance_channels=32,
            axes_dims_rope=(4, 4, 4, 4),
            guidance_embeds=False,
        ),
        is_distilled=False,
    )
    return _save(pipe, folder)


def make_z_image(folder: Path) -> Path:
    """Z-Image: one stream of text and image tokens, a Qwen3 text encoder, flow matching."""
    from diffusers import FlowMatchEulerDiscreteScheduler, ZImagePipeline, ZImageTransformer2DModel

    _seed(4)
    pipe = ZImagePipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=_autoencoder_kl(latent_channels=16, scaling_factor=0.3611, shift_factor=0.1159),
        text_encoder=_qwen3(layers=2),
        tokenizer=qwen_tokenizer(),
        transformer=ZImageTransformer2DModel(
            in_channels=16,
            dim=32,
            n_layers=1,
            n_refiner_layers=1,
            n_heads=2,
            n_kv_heads=2,
            cap_feat_dim=32,
            axes_dims=[8, 4, 4],
            axes_lens=[256, 32, 32],
        ),
    )
    # The padding tokens start as torch.empty, which may hold anything, NaN included.
    pipe.transformer.x_pad_token.data.normal_()
    pipe.transformer.cap_pad_token.data.normal_()
    return _save(pipe, folder)


def make_sana(folder: Path) -> Path:
    """Sana: linear attention, a deep-compression autoencoder, a Gemma 2 text encoder, DPM++ on a flow."""
    from diffusers import AutoencoderDC, DPMSolverMultistepScheduler, SanaPipeline, SanaTransformer2DModel
    from transformers import Gemma2Config, Gemma2Model

    _seed(5)
    tokenizer = gemma_tokenizer()
    pipe = SanaPipeline(
        tokenizer=tokenizer,
        text_encoder=Gemma2Model(
            Gemma2Config(
                vocab_size=len(tokenizer),
                hidden_size=16,
                intermediate_size=32,
                num_hidden_layers=1,
                num_attention_heads=2,
                num_key_value_heads=1,
                head_dim=8,
            )
        ),
        vae=AutoencoderDC(
            latent_channels=4,
            attention_head_dim=2,
            encoder_block_types=("ResBlock", "EfficientViTBlock"),
            decoder_block_types=("ResBlock", "EfficientViTBlock"),
            encoder_block_out_channels=(8, 8),
            decoder_block_out_channels=(8, 8),
            encoder_qkv_multiscales=((), (5,)),
            decoder_qkv_multiscales=((), (5,)),
            encoder_layers_per_block=(1, 1),
            decoder_layers_per_block=(1, 1),
            downsample_block_type="conv",
            upsample_block_type="interpolate",
            scaling_factor=0.41407,
        ),
        transformer=SanaTransformer2DModel(
            patch_size=1,
            in_channels=4,
            out_channels=4,
            num_layers=1,
            num_attention_heads=2,
            attention_head_dim=8,
            num_cross_attention_heads=2,
            cross_attention_head_dim=8,
            cross_attention_dim=16,
            caption_channels=16,
            sample_size=32,
        ),
        scheduler=DPMSolverMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0
        ),
    )
    return _save(pipe, folder)


def make_prx_pixel(folder: Path) -> Path:
    """PRXPixel, the bundled painter's architecture: no autoencoder, x prediction on pixel patches."""
    from diffusers import FlowMatchEulerDiscreteScheduler, PRXPixelPipeline, PRXTransformer2DModel

    _seed(6)
    pipe = PRXPixelPipeline(
        transformer=PRXTransformer2DModel(
            in_channels=3,
            patch_size=8,
            hidden_size=32,
            depth=2,
            num_heads=2,
            axes_dim=[8, 8],
            bottleneck_size=16,
            context_in_dim=32,
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(),
        text_encoder=_clip_text(),
        tokenizer=clip_tokenizer(),
        default_sample_size=SIZE,
        prompt_max_tokens=24,
        noise_scale=1.0,
    )
    return _save(pipe, folder)


def make_qwen_image(folder: Path) -> Path:
    """Qwen-Image: an autoencoder of videos, whose latents have a frame, and a Qwen2.5-VL text encoder."""
    from diffusers import (
        AutoencoderKLQwenImage,
        FlowMatchEulerDiscreteScheduler,
        QwenImagePipeline,
        QwenImageTransformer2DModel,
    )
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    _seed(10)
    tokenizer = qwen_tokenizer()
    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 37,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "rope_scaling": {"type": "default", "rope_type": "default", "mrope_section": [2, 3, 3]},
    }
    seen = {"depth": 1, "hidden_size": 32, "intermediate_size": 37, "num_heads": 2, "out_hidden_size": 32}
    pipe = QwenImagePipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        vae=AutoencoderKLQwenImage(
            base_dim=8,
            z_dim=4,
            dim_mult=[1, 2],
            num_res_blocks=1,
            temperal_downsample=[False],
            latents_mean=[0.1, -0.1, 0.2, 0.0],
            latents_std=[1.5, 0.8, 1.0, 1.2],
        ),
        text_encoder=Qwen2_5_VLForConditionalGeneration(
            Qwen2_5_VLConfig(text_config=text, vision_config=seen)
        ),
        tokenizer=tokenizer,
        transformer=QwenImageTransformer2DModel(
            patch_size=2,
            in_channels=16,
            out_channels=4,
            num_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=32,
            axes_dims_rope=(4, 4, 8),
        ),
    )
    return _save(pipe, folder)


MAKERS: dict[str, Callable[[Path], Path]] = {
    "sd": make_sd,
    "sd_tiny_vae": make_sd_tiny_vae,
    "sdxl": make_sdxl,
    "flux": make_flux,
    "flux2_klein": make_flux2_klein,
    "z_image": make_z_image,
    "sana": make_sana,
    "prx_pixel": make_prx_pixel,
    "qwen_image": make_qwen_image,
}

# What a preset must say beyond model, size and steps for each of them.
NEEDS: dict[str, dict[str, Any]] = {
    "flux2_klein": {
        "native": SIZE,
        "call_options": {"max_sequence_length": 64, "text_encoder_out_layers": [1, 2, 3]},
    },
    "flux": {"native": SIZE, "call_options": {"max_sequence_length": 64}},
    "z_image": {"call_options": {"max_sequence_length": 64}},
    "sana": {
        "call_options": {
            "use_resolution_binning": False,
            "max_sequence_length": 64,
            "complex_human_instruction": None,
        }
    },
    "qwen_image": {"native": SIZE, "call_options": {"max_sequence_length": 512}},
    "prx_pixel": {"pipeline": "PRXPixelPipeline", "call_options": {"use_resolution_binning": False}},
}


def make_lora(folder: Path, checkpoint: Path) -> Path:
    """A random rank-2 LoRA for a Stable Diffusion checkpoint's UNet, in the diffusers file layout."""
    import torch
    from diffusers import StableDiffusionPipeline, UNet2DConditionModel
    from diffusers.utils import convert_state_dict_to_diffusers
    from peft import LoraConfig
    from peft.utils import get_peft_model_state_dict

    _seed(7)
    unet = UNet2DConditionModel.from_pretrained(checkpoint / "unet")
    unet.add_adapter(LoraConfig(r=2, lora_alpha=2, init_lora_weights=False, target_modules=["to_q", "to_v"]))
    with torch.no_grad():
        for name, weight in unet.named_parameters():
            if "lora_" in name:
                weight.normal_()
    layers = convert_state_dict_to_diffusers(get_peft_model_state_dict(unet))
    StableDiffusionPipeline.save_lora_weights(str(folder), unet_lora_layers=layers)
    return folder


def clip_tokenizer() -> Any:
    """A CLIP tokenizer over single bytes."""
    from transformers import CLIPTokenizer

    symbols = _bytes()
    words = ["<|startoftext|>", "<|endoftext|>", *symbols, *(symbol + "</w>" for symbol in symbols)]
    return CLIPTokenizer(vocab={word: i for i, word in enumerate(words)}, merges=[], model_max_length=77)


def qwen_tokenizer() -> Any:
    """A Qwen2 tokenizer over single bytes, with a chat template."""
    from transformers import Qwen2Tokenizer

    words = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *_bytes()]
    tokenizer = Qwen2Tokenizer(vocab={word: i for i, word in enumerate(words)}, merges=[])
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    tokenizer.chat_template = CHAT
    return tokenizer


def gemma_tokenizer() -> Any:
    """A Gemma tokenizer over printable ASCII."""
    from transformers import GemmaTokenizer

    words = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "▁", *map(chr, range(33, 127))]
    return GemmaTokenizer(vocab={word: i for i, word in enumerate(words)}, merges=[])


def t5_tokenizer() -> Any:
    """A T5 tokenizer over printable ASCII."""
    from transformers import T5Tokenizer

    words = ["<pad>", "</s>", "<unk>", "▁", *map(chr, range(33, 127))]
    return T5Tokenizer(vocab=[(word, -1.0) for word in words], extra_ids=0)


_SD_SCHEDULE = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


def _unet(**more: Any) -> Any:
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        sample_size=32,
        in_channels=4,
        out_channels=4,
        block_out_channels=(16, 32),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=2,
        norm_num_groups=8,
        **more,
    )


def _autoencoder_kl(**more: Any) -> Any:
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        block_out_channels=(8, 16),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        layers_per_block=1,
        norm_num_groups=4,
        sample_size=SIZE,
        **{"latent_channels": 4, **more},
    )


def _clip_text(projected: bool = False) -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    config = CLIPTextConfig(
        vocab_size=2 + 2 * 256,
        hidden_size=32,
        projection_dim=32,
        intermediate_size=37,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=77,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
    )
    return CLIPTextModelWithProjection(config) if projected else CLIPTextModel(config)


def _qwen3(layers: int) -> Any:
    from transformers import Qwen3Config, Qwen3ForCausalLM

    return Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=3 + 256,
            hidden_size=32,
            intermediate_size=37,
            num_hidden_layers=layers,
            num_attention_heads=2,
            num_key_value_heads=1,
            head_dim=16,
            max_position_embeddings=512,
        )
    )


def _bytes() -> list[str]:
    """The 256 characters that byte-level tokenizers write for bytes."""
    from tokenizers.pre_tokenizers import ByteLevel

    return sorted(ByteLevel.alphabet())


def _seed(seed: int) -> None:
    import torch

    torch.manual_seed(seed)


def _save(pipe: Any, folder: Path) -> Path:
    pipe.save_pretrained(folder, safe_serialization=True)
    return folder
