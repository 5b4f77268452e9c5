"""What people read from a plan: the difference of two, the cost, tables. Values come from the plan alone."""
