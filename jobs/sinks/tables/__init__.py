"""Results as tables: CSV, TSV and Parquet."""
