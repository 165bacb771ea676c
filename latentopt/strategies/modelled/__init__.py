"""What strategies with Gaussian processes share."""
