"""Text models, image models and scorers behind three protocols."""
