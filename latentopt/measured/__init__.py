"""Tables of values beside images."""
