"""Is a space faithful to the structures it was trained on?"""
