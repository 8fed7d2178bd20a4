"""Tells every row of a sink's files, read by DuckDB: offset, kind, and what it says."""

import sys

import duckdb

print_all = "SELECT log_offset || ' ' || record || ' ' || coalesce(payload, data) "
files = f"read_parquet('{sys.argv[1]}/day=*/*.parquet', hive_partitioning = true)"
for (row,) in duckdb.sql(f"{print_all} FROM {files} ORDER BY log_offset").fetchall():
    print(row)
