"""What sets two scenarios apart, and how much of the cost each cause makes."""
