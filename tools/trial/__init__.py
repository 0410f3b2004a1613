"""`make try`: most acts of `make run` in an account and a GitLab project of the user."""
