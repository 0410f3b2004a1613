"""The packages of `make dist`: their contents and their deployment."""
