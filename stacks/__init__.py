"""One file per environment, and the program that turns a stack file into resources."""

import gc

gc.set_threshold(100_000)
"""Python's own number, 700, takes a fifth of the time of the imports: nothing that they make is garbage."""
