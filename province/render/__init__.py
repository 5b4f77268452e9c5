"""Files made from the plan in one process: the start page, and what hosts lay down of applications."""
