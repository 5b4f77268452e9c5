"""How long work shows itself: steps with times and estimates, one run at a time, failures told in full."""
