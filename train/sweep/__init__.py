"""Sweeps: many short trainings that look for the fastest way to a good score."""
