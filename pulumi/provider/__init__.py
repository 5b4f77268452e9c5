"""The Incus provider: `resources` knows Incus, `server` knows Pulumi."""
