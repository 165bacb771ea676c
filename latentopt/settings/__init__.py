"""What a YAML file says, checked, without torch."""
