"""One file per environment, and the program that turns a stack file into resources."""

import gc

# Python's own number, 700, takes a fifth of the time of the imports: nothing that they make is garbage.
gc.set_threshold(100_000)
