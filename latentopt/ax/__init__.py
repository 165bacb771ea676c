"""Our goals and histories in the words of Ax."""
