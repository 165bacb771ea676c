"""What grey levels mean, and how they become phases."""
