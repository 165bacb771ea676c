"""A stage of training: what a family of models subclasses."""
