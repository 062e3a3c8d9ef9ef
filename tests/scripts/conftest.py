"""The tiny preset, for commands that run in processes of their own."""

from tests.pipeline.conftest import tiny, tiny_folder

__all__ = ["tiny", "tiny_folder"]
