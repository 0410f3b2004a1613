"""Defects as data, and the program that shows which tests notice them: `make defects`."""
