"""Programs that run on hosts, sent there whole: nothing but Python's own library."""
