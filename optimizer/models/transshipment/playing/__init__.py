"""A terminal played through: who works when, once it is said where loads go and when trains aim to leave."""
