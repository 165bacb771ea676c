"""From images to a space on disk."""
