"""Readers of what hosts print: text in, plain data out, no judging and no I/O.

A new release of a program means a new captured case in tests/unit/observe/<reader>/, not a new test.
"""
