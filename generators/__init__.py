"""Procedural craquelure: (recipe, painting, seed, index) -> triplet (I, M, I~).

This room knows NumPy and OpenCV, and nothing of files, hubs, networks that learn, or scores.
"""
