"""Untrusted submissions: validate, store, score, rank, show."""
