"""What the checks share: the environment under test, ways to reach its hosts, and ways to wait."""
