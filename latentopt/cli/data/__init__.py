"""The work of ``latentopt data``: images inspected, prepared and made."""
