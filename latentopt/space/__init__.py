"""Where points live: a generative model and whitened coordinates."""
