"""`make docs`, the generated pages of docs/reference/, and the pictures."""
