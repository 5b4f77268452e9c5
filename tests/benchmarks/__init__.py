"""How fast and how large: sides run alternately in one run, each round in a process of its own."""
