"""The JSON that commands print, as types; docs/json has their schemas, which `make json-schemas` writes."""
