"""Errors a caller of `generative` may want to catch."""


class DataError(ValueError):
    """Images that cannot be used: the message names the file, what is wrong and the remedy."""


class ModelFileError(ValueError):
    """A saved model that is missing, damaged, tampered with or newer than this version reads."""


class OutputError(ValueError):
    """A file that would be written is there, and not ours: the message names it and the remedy."""
