"""The planner of a provincial data-integration centre and the command `province`."""
