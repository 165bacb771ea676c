"""A campaign: ask, evaluate, tell, until the budget is spent."""
