"""The replication of a repository to another region: its script, and its two templates deployed."""
