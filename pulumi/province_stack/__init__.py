"""What exists: the networks and machines of an environment, as Pulumi components."""
