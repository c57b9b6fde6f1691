"""What shippers would do, each for himself, beside what is best for all."""
