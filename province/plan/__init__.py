"""From register and catalogue to plan: pure functions, no input or output, no clock."""
