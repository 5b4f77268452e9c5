"""The register: the model of what we are told, its loading and its checks."""
