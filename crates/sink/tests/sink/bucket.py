"""Makes a bucket, or tells of all rows in its files: endpoint, bucket, and make, ids or rows.

Of any bucket: names, of all objects; put:NAME, which makes one; copy:FROM:TO; s3://BUCKET/NAME, what is
in it.
"""

import io
import sys

import boto3
import pyarrow.parquet

endpoint, bucket, what = sys.argv[1:]
s3 = boto3.client(
    "s3",
    endpoint_url=endpoint,
    region_name="eu-central-1",
    aws_access_key_id="test",
    aws_secret_access_key="test",
)
if what == "make":
    where = {"LocationConstraint": "eu-central-1"}
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration=where)
elif what == "names":
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    for name in sorted(object["Key"] for page in pages for object in page.get("Contents", [])):
        print(name)
elif what.startswith("put:"):
    s3.put_object(Bucket=bucket, Key=what.removeprefix("put:"), Body=b"any")
elif what.startswith("copy:"):
    _, source, target = what.split(":")
    s3.copy_object(Bucket=bucket, CopySource={"Bucket": bucket, "Key": source}, Key=target)
elif what.startswith("s3://"):
    of, name = what.removeprefix("s3://").split("/", 1)
    print(s3.get_object(Bucket=of, Key=name)["Body"].read().decode())
else:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="out/day=")
    names = [object["Key"] for page in pages for object in page.get("Contents", [])]
    names.sort(key=lambda name: name.rsplit("/", 1)[1])
    bodies = [s3.get_object(Bucket=bucket, Key=name)["Body"].read() for name in names]
    # Python has no place for each time that may be in the others.
    columns = ["log", "log_offset", "record", "payload", "data"]
    tables = [pyarrow.parquet.read_table(io.BytesIO(body), columns=columns) for body in bodies]
    rows = [row for table in tables for row in table.to_pylist()]
    if what == "rows":
        rows.sort(key=lambda row: row["log_offset"])
    for row in rows:
        said = row["data"] if row["payload"] is None else row["payload"]
        offset = row["log_offset"]
        print(f"{row['log']}:{offset}" if what == "ids" else f"{offset} {row['record']} {said}")
