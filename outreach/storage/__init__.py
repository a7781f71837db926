"""What is kept how long, and where: months in Parquet files, retention (docs/operations.md)."""
