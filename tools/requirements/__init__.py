"""The pinned Python packages, and the program that updates them."""
