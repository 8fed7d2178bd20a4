"""Tells every key of a query with its offset, by DuckDB."""

import sys

import duckdb

for row in duckdb.sql(f"SELECT key || '|' || log_offset FROM ({sys.argv[1]})").fetchall():
    print(*row)
