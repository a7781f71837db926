"""Service: replies, ratings, and what becomes of them."""
