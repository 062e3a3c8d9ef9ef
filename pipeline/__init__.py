"""What Easel does: from a brief to accepted images."""
