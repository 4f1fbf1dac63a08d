"""Claims about learning order, one script each."""
