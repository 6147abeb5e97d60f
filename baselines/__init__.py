"""Detectors and inpainters. Torch, where it is installed, lives here and nowhere else."""
