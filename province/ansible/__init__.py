"""Filters that templates use; plain functions, exposed by playbooks/plugins/filter/province.py."""
