"""Output, errors and the machine of the user."""
