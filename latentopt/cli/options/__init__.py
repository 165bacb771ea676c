"""What each command is told: one class a command, imported without anything slow."""
