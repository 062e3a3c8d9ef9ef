"""The theme: colours, system fonts, light and dark mode. Nothing is loaded from another server."""

from __future__ import annotations

from pathlib import Path

import gradio as gr
from gradio.themes.utils.colors import Color

HERE = Path(__file__).parent
STYLE, SCRIPT = HERE / "style.css", HERE / "page.js"

_VIRIDIAN = Color(
    c50="#eef7f4", c100="#d6ece6", c200="#addad0", c300="#7dc3b4", c400="#4da693", c500="#2c8a77",
    c600="#1b6f60", c700="#17594e", c800="#15473f", c900="#123b35", c950="#09231f", name="viridian",
)  # fmt: skip
_PAPER = Color(
    c50="#faf8f4", c100="#f3f0ea", c200="#e6e2d9", c300="#d1ccc1", c400="#a39e94", c500="#76726b",
    c600="#5a5751", c700="#43413d", c800="#2b2a28", c900="#1e1d1c", c950="#151514", name="paper",
)  # fmt: skip


def theme() -> gr.themes.Base:
    """Gradio's components in our colours."""
    return gr.themes.Base(
        primary_hue=_VIRIDIAN,
        secondary_hue=_VIRIDIAN,
        neutral_hue=_PAPER,
        radius_size=gr.themes.sizes.radius_md,
        font=["system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif"],
        font_mono=["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"],
    ).set(
        body_background_fill="#faf8f4",
        body_background_fill_dark="#171716",
        body_text_color="#23211f",
        body_text_color_dark="#ece8e0",
        body_text_color_subdued="#5a5751",
        body_text_color_subdued_dark="#b3aea4",
        background_fill_primary="#ffffff",
        background_fill_primary_dark="#201f1e",
        background_fill_secondary="#f3f0ea",
        background_fill_secondary_dark="#1b1a19",
        block_background_fill="#ffffff",
        block_background_fill_dark="#201f1e",
        block_border_color="#e3ded4",
        block_border_color_dark="#393734",
        border_color_primary="#d9d4c9",
        border_color_primary_dark="#45423e",
        block_label_text_color="#5a5751",
        block_label_text_color_dark="#b3aea4",
        block_title_text_color="#43413d",
        block_title_text_color_dark="#d6d1c7",
        block_title_text_weight="600",
        block_info_text_color="#5a5751",
        block_info_text_color_dark="#b3aea4",
        block_shadow="none",
        input_background_fill="#ffffff",
        input_background_fill_dark="#191817",
        input_border_width="1px",
        input_border_color="#8f897d",
        input_border_color_dark="#7a756d",
        input_border_color_focus="#1b6f60",
        input_border_color_focus_dark="#7dc3b4",
        input_placeholder_color="#76726b",
        input_placeholder_color_dark="#98938a",
        button_primary_background_fill="#1b6f60",
        button_primary_background_fill_hover="#17594e",
        button_primary_background_fill_dark="#7dc3b4",
        button_primary_background_fill_hover_dark="#addad0",
        button_primary_text_color="#ffffff",
        button_primary_text_color_dark="#09231f",
        button_secondary_background_fill="#f3f0ea",
        button_secondary_background_fill_hover="#e6e2d9",
        button_secondary_background_fill_dark="#2b2a28",
        button_secondary_background_fill_hover_dark="#3a3835",
        button_secondary_text_color="#2b2a28",
        button_secondary_text_color_dark="#ece8e0",
        button_cancel_background_fill="#fbeae7",
        button_cancel_background_fill_hover="#f6d5cf",
        button_cancel_background_fill_dark="#43211c",
        button_cancel_background_fill_hover_dark="#5a2c25",
        button_cancel_text_color="#8f1d12",
        button_cancel_text_color_dark="#ffb4a8",
        button_large_text_weight="600",
        link_text_color="#17594e",
        link_text_color_dark="#7dc3b4",
    )


def head() -> str:
    """The page's head: colour scheme and script."""
    return f'<meta name="color-scheme" content="light dark"><script>{SCRIPT.read_text()}</script>'
