"""Drift: what hosts, networks and machines are against what was planned. Reads only; repair is asked for."""
