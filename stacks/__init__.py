"""One file per environment, and the program that turns a stack file into resources."""
