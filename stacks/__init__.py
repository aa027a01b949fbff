"""One file per environment, the settings they hold, and the program that turns settings into resources."""
