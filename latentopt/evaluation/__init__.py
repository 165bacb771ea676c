"""One structure to metrics."""
