"""Models of the Hugging Face Hub: which files a model needs, which of them are here, and downloading the others."""
