"""Writes the rows of a sink's files again, into one file: first from Arrow's columns in memory,
then from rows, a mapping each, as a program has them that reads events. Prints how many rows there
are, and the seconds that each of the two took, on disk."""

import os
import sys
import time

import pyarrow
import pyarrow.parquet

folder, target = sys.argv[1:]
days = [f"{folder}/{name}" for name in os.listdir(folder) if name.startswith("day=")]
files = sorted(f"{day}/{name}" for day in days for name in os.listdir(day))
table = pyarrow.concat_tables(pyarrow.parquet.ParquetFile(path).read() for path in files)


def write(make):
    begun = time.perf_counter()
    pyarrow.parquet.write_table(make(), target, compression="zstd")
    with open(target, "rb+") as file:
        os.fsync(file.fileno())
    return time.perf_counter() - begun


print(table.num_rows, write(lambda: table), end=" ")
rows = table.to_pylist()
print(write(lambda: pyarrow.Table.from_pylist(rows, schema=table.schema)))
