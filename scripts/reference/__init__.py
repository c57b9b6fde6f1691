"""Parts of the script that builds the reference instance from the collected facts."""
