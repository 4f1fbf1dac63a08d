"""Runs and studies: reading them needs no JAX, training them does."""
