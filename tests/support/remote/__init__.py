"""Programs that are sent to a host under test: standard library only, JSON in, JSON out."""
