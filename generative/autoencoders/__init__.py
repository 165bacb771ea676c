"""Models with an encoder, and what restores their detail."""
