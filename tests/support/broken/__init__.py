"""Broken registers: the oracle, the changes, and what the answers are held against."""
