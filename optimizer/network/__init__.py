"""The layered corridor network: arrays built once from the tables, compiled path searches on top."""
