"""What was reached and what it changed: reports whose sums agree."""
