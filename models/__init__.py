"""What Easel does it with: text, image and scoring models behind three protocols."""
