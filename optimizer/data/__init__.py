"""The instance: schema, reading, writing, validation, scenarios."""
