"""Reads a sink's files by DuckDB and by pandas, which must agree, and tells types and rows."""

import pathlib
import sys

import duckdb
import pandas

folder = pathlib.Path(sys.argv[1])
files = f"read_parquet('{folder}/day=*/*.parquet', hive_partitioning = true)"
types = duckdb.sql(f"DESCRIBE SELECT * FROM {files}").fetchall()
print(", ".join(f"{name} {type}" for name, type, *_ in types))
rows = duckdb.sql(
    "SELECT log_offset, record, stream, key, kind, origin, epoch_us(occurred_at), "
    f"epoch_us(received_at), payload FROM {files} ORDER BY log_offset"
).fetchall()
for row in rows:
    print(" ".join(str(value) for value in row))

frame = pandas.concat(pandas.read_parquet(path) for path in sorted(folder.glob("day=*/*.parquet")))
frame = frame.sort_values("log_offset")
assert str(frame.dtypes["occurred_at"]) == "datetime64[us, UTC]", frame.dtypes
seen = zip(frame["log_offset"], frame["key"], frame["payload"], strict=True)
assert list(seen) == [(row[0], row[3], row[8]) for row in rows], "pandas reads something else"
