"""A stand-in for Amazon Redshift, until standard input ends: PostgreSQL's socket, an S3 server, a log.

It speaks PostgreSQL's protocol, as Redshift does, and gives each statement to a PostgreSQL server,
but for what that does not know: COPY from S3 is done here, by reading manifest and files, and
distribution and sort keys are taken out, as are primary keys, which Redshift does not enforce. What
PostgreSQL knows and Redshift does not is refused, as is every statement of another form than those
that the sink uses, and every one that sqlglot cannot read in Redshift's dialect. It is stricter than
Redshift in that, and knows nothing of its speed, its locks or its errors.

Lines of standard input: `cut N before` or `cut N after` ends the connection of the statement that
comes after N more, before it is done or when it is; `refuse TEXT` has COPY refuse rows with this value.
"""

import io
import json
import logging
import re
import socket
import struct
import sys
import threading

import boto3
import botocore.exceptions
import pyarrow.parquet
import sqlglot

POSTGRES, S3, LOG = sys.argv[1:]
ROLE = "arn:aws:iam::123456789012:role/copy"
KEYS = ("test", "copy-s3cr3t")

s3 = boto3.client(
    "s3",
    endpoint_url=S3,
    region_name="eu-central-1",
    aws_access_key_id=KEYS[0],
    aws_secret_access_key=KEYS[1],
)

logging.getLogger("sqlglot").setLevel(logging.CRITICAL)

FORMS = [
    r"BEGIN|COMMIT|ROLLBACK",
    r"LOCK \w+",
    r"SET (search_path|statement_timeout|timezone) TO [\w']+",
    r"CREATE SCHEMA \w+",
    r"CREATE (TEMP )?TABLE \w+ \(.*\)( DISTSTYLE (ALL|EVEN|KEY DISTKEY \(\w+\)))?"
    r"( COMPOUND SORTKEY \([\w, ]+\))?",
    r"CREATE VIEW \w+ AS SELECT .*",
    r"DROP TABLE \w+",
    r"SELECT .*",
    r"INSERT INTO \w+ \([\w, ]+\) (SELECT|VALUES) .*",
    r"DELETE FROM \w+( USING \w+)?( WHERE .*)?",
    r"UPDATE \w+ SET .*",
]

# What PostgreSQL has and Redshift has not, or has as something else.
ABSENT = [
    r"ON CONFLICT", r"RETURNING", r"FOR (UPDATE|SHARE|NO KEY)", r"CREATE (UNIQUE )?INDEX", r"TRUNCATE",
    r"jsonb?(?!_extract_path_text)", r"bytea", r"text", r"uuid", r"serial", r"bigserial", r"regclass", r"to_regclass",
    r"pg_advisory\w*", r"hashtext", r"DISTINCT ON", r"DISTINCT FROM", r"now ?\(", r"CHECK ?\(",
    r"GENERATED", r"LATERAL", r"UNLOGGED", r"ON COMMIT", r"FILTER ?\(", r"WITH NO DATA", r"unnest",
    r"ARRAY", r"INHERITS", r"LIKE \w+ INCLUDING", r"IF NOT EXISTS", r"CONCURRENTLY", r"generate_series",
    r"make_interval", r"EXCLUDE", r"DEALLOCATE", r"LOCAL",
]
ABSENT = re.compile(r"\b(?:" + "|".join(ABSENT) + r")|\[|\$", re.IGNORECASE)

# Reserved by Redshift, and not by PostgreSQL: no names without quotes.
RESERVED = """AES128 AES256 ALLOWOVERWRITE AZ64 BACKUP BLANKSASNULL BYTEDICT BZIP2 CREDENTIALS DEFLATE
DEFRAG DELTA DELTA32K DISABLE EMPTYASNULL ENABLE ENCODE ENCRYPT ENCRYPTION EXPLICIT GZIP IDENTITY IGNORE
LUN LUNS LZO LZOP MINUS MOSTLY16 MOSTLY32 MOSTLY8 NEW OFFLINE OID OLD OPEN PERCENT PERMISSIONS RAW
READRATIO RECOVER REJECTLOG RESORT RESPECT RESTORE SNAPSHOT SYSDATE SYSTEM TAG TDES TEXT255 TEXT32K TOP
TRUNCATECOLUMNS WALLET""".split()
RESERVED = re.compile(r"(?<!\.)\b(?:" + "|".join(RESERVED) + r")\b", re.IGNORECASE)

TYPES = re.compile(
    r"smallint|integer|bigint|boolean|timestamptz|varchar\((\d+)\)|varbyte\((\d+)\)", re.IGNORECASE
)
FILE_TYPES = {
    "varchar": ("BYTE_ARRAY", "String"),
    "varbyte": ("BYTE_ARRAY", "None"),
    "bigint": ("INT64", "None"),
    "integer": ("INT32", "None"),
    "boolean": ("BOOLEAN", "None"),
}
COPY = re.compile(
    r"COPY (\w+) FROM '(s3://[^']+)' (?:IAM_ROLE (?:'([^']*)'|(DEFAULT))|"
    r"CREDENTIALS 'aws_access_key_id=([^';]*);aws_secret_access_key=([^';]*)(?:;token=([^';]*))?') "
    r"FORMAT AS PARQUET MANIFEST"
)


class Refused(Exception):
    """Told with a SQLSTATE."""

    def __init__(self, why, code="42601"):
        super().__init__(why)
        self.code = code


read_before = set()
unloved = set()


def plain(statement):
    """On one line, and the same without its literals."""
    statement = re.sub(r"--[^\n]*", "", statement)
    literals = re.findall(r"'(?:[^']|'')*'", statement)
    if any("\\" in literal for literal in literals):
        raise Refused("a backslash in a literal: it means one thing or another")
    statement = re.sub(r"\s+", " ", statement).strip()
    return statement, re.sub(r"'(?:[^']|'')*'", "''", statement)


def looked_at(statement, code):
    if ";" in code:
        raise Refused("more than one statement")
    if statement.startswith("COPY "):
        if not COPY.fullmatch(statement):
            raise Refused("COPY in another form")
    elif not any(re.fullmatch(form, code) for form in FORMS):
        raise Refused("a statement of another form: " + code)
    else:
        for pattern, what in [(ABSENT, "Redshift does not have"), (RESERVED, "is reserved by Redshift")]:
            found = pattern.search(code)
            if found:
                raise Refused(f"`{found.group()}`: {what}: {code}")
    shape = re.sub(r"\d+", "0", code)
    if shape not in read_before:
        try:
            [tree] = sqlglot.parse(statement, read="redshift", error_level=sqlglot.ErrorLevel.RAISE)
        except (sqlglot.errors.SqlglotError, ValueError) as error:
            raise Refused(f"not in Redshift's dialect: {error}") from error
        if isinstance(tree, sqlglot.exp.Command) and not code.startswith("LOCK "):
            raise Refused("not in Redshift's dialect: " + code)
        read_before.add(shape)


def columns_of(statement):
    """A table's columns, each with its type."""
    body = statement[statement.index("(") + 1 :]
    depth, end = 1, 0
    while depth:
        depth += {"(": 1, ")": -1}.get(body[end], 0)
        end += 1
    parts = re.split(r", ?(?![^(]*\))", body[: end - 1].strip())
    columns = []
    for part in parts:
        if part.startswith("PRIMARY KEY"):
            continue
        name, type, *rest = part.split(" ")
        found = TYPES.fullmatch(type)
        if not found or rest not in ([], ["NOT", "NULL"]):
            raise Refused(f"a column of another form: {part}")
        if any(size and int(size) > 65_535 for size in found.groups()):
            raise Refused(f"a column larger than any: {part}")
        columns.append((name, type))
    return columns


def translated(statement):
    if not re.match(r"CREATE (TEMP )?TABLE", statement):
        return statement
    columns_of(statement)
    statement = re.sub(r" (DISTSTYLE|COMPOUND SORTKEY).*$", "", statement)
    statement = re.sub(r", ?PRIMARY KEY \([^)]*\)", "", statement)
    return re.sub(r"varbyte\(\d+\)", "bytea", statement)


def fetch(url):
    bucket, name = url.removeprefix("s3://").split("/", 1)
    try:
        return s3.get_object(Bucket=bucket, Key=name)["Body"].read()
    except botocore.exceptions.ClientError as error:
        raise Refused(f"S3ServiceException: {error.response['Error']['Code']}: {url}", "XX000") from error
    except botocore.exceptions.BotoCoreError as error:
        raise Refused(f"S3ServiceException: {type(error).__name__}: {url}", "XX000") from error


def file_of(statement, columns):
    """What COPY loads, in PostgreSQL's own form."""
    _, url, role, _, key, secret, _ = COPY.fullmatch(statement).groups()
    if role not in (None, ROLE) or (key and (key, secret) != KEYS):
        raise Refused(f"S3ServiceException: Access Denied, status 403: {key} {secret}", "XX000")
    rows = []
    for entry in json.loads(fetch(url))["entries"]:
        file = fetch(entry["url"])
        if entry["mandatory"] is not True or entry["meta"]["content_length"] != len(file):
            raise Refused("a manifest that does not fit its file", "XX000")
        file = pyarrow.parquet.ParquetFile(io.BytesIO(file))
        for index, (name, type) in enumerate(columns):
            column = file.schema.column(index)
            found = (column.physical_type, str(column.logical_type.type).title())
            chunk = file.metadata.row_group(0).column(index)
            if found != FILE_TYPES[type.split("(")[0]] or chunk.compression != "SNAPPY":
                raise Refused(f"column {name}, {type}, is {found}, {chunk.compression}", "XX000")
        if len(file.schema) != len(columns):
            raise Refused("the file has other columns than the table", "XX000")
        table = file.read().to_pydict().values()
        sizes = [int(size) if (size := re.sub(r"\D", "", type)) else 0 for _, type in columns]
        for row in zip(*table, strict=True):
            if not unloved.isdisjoint(row):
                raise not_loaded(statement)
            if any(size and value is not None and length(value) > size for value, size in zip(row, sizes)):
                raise not_loaded(statement)
            rows.append(b"\t".join(map(field, row)) + b"\n")
    return b"".join(rows)


def not_loaded(statement):
    """As Redshift words it, which names neither row nor column."""
    table = COPY.fullmatch(statement).group(1)
    why = f"Load into table '{table}' failed.  Check 'stl_load_errors' system table for details."
    return Refused(why, "XX000")


def length(value):
    return len(value if isinstance(value, bytes) else value.encode())


def field(value):
    if value is None:
        return b"\\N"
    if isinstance(value, bool):
        return b"t" if value else b"f"
    if isinstance(value, int):
        return str(value).encode()
    if isinstance(value, bytes):
        return b"\\\\x" + value.hex().encode()
    text = value.encode()
    for byte, escaped in [(b"\\", b"\\\\"), (b"\t", b"\\t"), (b"\n", b"\\n"), (b"\r", b"\\r")]:
        text = text.replace(byte, escaped)
    return text


class Cut(Exception):
    """A connection that ends."""


class Cuts:
    def __init__(self):
        self.lock, self.left, self.when = threading.Lock(), -1, None

    def set(self, left, when):
        with self.lock:
            self.left, self.when = left, when

    def next(self):
        """When the statement that comes now is the one: before or after it."""
        with self.lock:
            self.left -= 1
            return self.when if self.left == -1 else None


cuts = Cuts()
log_lock = threading.Lock()


class Connection:
    def __init__(self, client):
        self.client, self.server = client, socket.socket(socket.AF_UNIX)
        self.tables = {}

    def run(self):
        try:
            self.server.connect(POSTGRES)
            self.greet()
            while True:
                kind, body = receive(self.client)
                if kind == b"X":
                    return
                if kind != b"Q":
                    return self.tell(Refused("only simple queries are tried"), b"I")
                self.statement(body[:-1].decode())
        except (Cut, OSError):
            pass
        finally:
            self.server.close()
            self.client.close()

    def greet(self):
        while True:
            (length, code) = struct.unpack("!II", exactly(self.client, 8))
            body = exactly(self.client, length - 8)
            if code != 80877103:
                break
            self.client.sendall(b"N")
        body = body[:-1] + b"options\0-c default_transaction_isolation=serializable\0\0"
        self.server.sendall(struct.pack("!II", len(body) + 8, code) + body)
        while True:
            kind, body = receive(self.server)
            if kind == b"S" and body.startswith(b"server_version\0"):
                body = b"server_version\x008.0.2\0"
            send(self.client, kind, body)
            if kind == b"Z":
                return
            if kind == b"E":
                raise Cut

    def statement(self, text):
        when = cuts.next()
        with log_lock, open(LOG, "a", encoding="utf-8") as log:
            log.write(text.replace("\n", " ") + "\n")
        if when == "before":
            raise Cut
        try:
            statement, code = plain(text)
            looked_at(statement, code)
            self.do(statement, when == "after")
        except Refused as refused:
            # A transaction that is open fails with it.
            send(self.server, b"Q", b"refused\0")
            self.tell(refused, self.drain())
        if when == "after":
            raise Cut

    def do(self, statement, is_quiet):
        created = re.match(r"CREATE TEMP TABLE (\w+)", statement)
        if created:
            self.tables[created.group(1)] = columns_of(statement)
        copied = re.match(r"COPY (\w+)", statement)
        if not copied:
            send(self.server, b"Q", translated(statement).encode() + b"\0")
            return self.relay(is_quiet)
        rows = file_of(statement, self.tables[copied.group(1)])
        send(self.server, b"Q", f"COPY {copied.group(1)} FROM STDIN\0".encode())
        kind, body = receive(self.server)
        if kind == b"E":
            send(self.client, kind, body)
            return self.relay(is_quiet)
        for at in range(0, len(rows), 65_536):
            send(self.server, b"d", rows[at : at + 65_536])
        send(self.server, b"c", b"")
        return self.relay(is_quiet)

    def relay(self, is_quiet):
        answer = bytearray()
        while True:
            kind, body = receive(self.server)
            answer += kind + struct.pack("!I", len(body) + 4) + body
            if kind == b"Z":
                break
        if not is_quiet:
            self.client.sendall(answer)

    def drain(self):
        """Returns what has become of the transaction."""
        while True:
            kind, body = receive(self.server)
            if kind == b"Z":
                return body

    def tell(self, refused, status):
        fields = [("S", "ERROR"), ("V", "ERROR"), ("C", refused.code), ("M", str(refused))]
        body = "".join(f"{kind}{value}\0" for kind, value in fields) + "\0"
        send(self.client, b"E", body.encode())
        send(self.client, b"Z", status)


def exactly(peer, count):
    read = bytearray()
    while len(read) < count:
        more = peer.recv(count - len(read))
        if not more:
            raise Cut
        read += more
    return bytes(read)


def receive(peer):
    kind = exactly(peer, 1)
    (length,) = struct.unpack("!I", exactly(peer, 4))
    return kind, exactly(peer, length - 4)


def send(peer, kind, body):
    peer.sendall(kind + struct.pack("!I", len(body) + 4) + body)


def serve(listener):
    while True:
        client, _ = listener.accept()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=Connection(client).run, daemon=True).start()


listener = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=serve, args=(listener,), daemon=True).start()
print(listener.getsockname()[1], flush=True)
for line in sys.stdin:
    match line.split():
        case ["cut", left, when]:
            cuts.set(int(left), when)
        case ["refuse", text]:
            unloved.add(text)
    print("ok", flush=True)
