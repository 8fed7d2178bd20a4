"""Runs Python programs that need much: it has imported that once, and each of them is a fork of it.

A line of standard input begins one: an array of the port where somebody waits for it, its script, and
what that is told. The connection is its standard input and output, with a line `done` at the end of
what it prints, if it does not fail. It ends when standard input does.
"""

import json
import os
import runpy
import signal
import socket
import sys
import traceback

import boto3
import moto.server  # noqa: F401
import pyarrow.parquet  # noqa: F401
import sqlglot  # noqa: F401

# Reads the description of S3, which each later client then has.
boto3.client("s3", region_name="eu-central-1", aws_access_key_id="-", aws_secret_access_key="-")


def run(port, script, *told):
    peer = socket.create_connection(("127.0.0.1", port))
    for descriptor in (0, 1):
        os.dup2(peer.fileno(), descriptor)
    peer.close()
    sys.stdin, sys.stdout = open(0), open(1, "w")
    sys.argv = [script, *told]
    runpy.run_path(script, run_name="__main__")
    print("done", flush=True)


# Nobody waits for how they end.
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for line in sys.stdin:
    if os.fork() == 0:
        try:
            run(*json.loads(line))
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)
