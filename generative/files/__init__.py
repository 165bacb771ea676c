"""Files of ours: text, tensors, manifests."""
