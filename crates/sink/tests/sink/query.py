"""Tells the rows of a query, by DuckDB."""

import sys

import duckdb

for row in duckdb.sql(sys.argv[1]).fetchall():
    print(*row, sep="|")
