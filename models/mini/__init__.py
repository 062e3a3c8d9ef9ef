"""The bundled models: scene grammar, art, weights and model card."""
