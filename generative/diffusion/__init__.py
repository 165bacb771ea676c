"""A diffusion prior over codes, and the ordinary differential equation that makes it a map."""
