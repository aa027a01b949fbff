"""Config names, the layout file, and what MIG Manager reads."""
