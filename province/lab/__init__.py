"""The machine under a lab: what it must have, the engine, the host image, up and down."""
