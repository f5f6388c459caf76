"""Kernelscope: see what LLM code does without running it."""

__version__ = "0.1.0"
