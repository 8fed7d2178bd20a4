"""A small client of a CXone-shaped vendor, by the standard library alone: honest, or wrong in one way.

    python3 client.py honest | diary | silent | twice | swap | stop | invent | forget | chat

`diary` is honest, and writes down what it is told.
"""

import base64
import json
import os
import socket
import struct
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

MODE = sys.argv[1]
ENV = os.environ
HEARTBEAT_S = int(ENV["VENDOR_HEARTBEAT_MS"]) / 1000


def say(line):
    print(json.dumps(line), flush=True)


def token():
    grant = {
        "grant_type": "client_credentials",
        "client_id": ENV["VENDOR_CLIENT_ID"],
        "client_secret": ENV["VENDOR_CLIENT_SECRET"],
    }
    data = urllib.parse.urlencode(grant).encode()
    with urllib.request.urlopen(ENV["VENDOR_TOKEN_URL"], data, timeout=2) as answer:
        return json.load(answer)["access_token"]


def head(bearer):
    """The newest position."""
    url = ENV["VENDOR_API_URL"] + "/api/v2/wfm/schedules?limit=1"
    request = urllib.request.Request(url, headers={"Authorization": "Bearer " + bearer})
    with urllib.request.urlopen(request, timeout=2) as answer:
        page = json.load(answer)
        return page["epoch"], page["sequenceId"]


class Socket:
    """As much of a WebSocket as is needed."""

    def __init__(self, url, bearer):
        at = urllib.parse.urlsplit(url)
        self.tcp = socket.create_connection((at.hostname, at.port), timeout=2)
        self.bytes = self.tcp.makefile("rb")
        key = base64.b64encode(os.urandom(16)).decode()
        self.tcp.sendall(
            f"GET {at.path} HTTP/1.1\r\nHost: {at.netloc}\r\nAuthorization: Bearer {bearer}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        if b" 101 " not in self.bytes.readline():
            raise OSError("no handshake")
        while self.bytes.readline() not in (b"\r\n", b""):
            pass
        self.tcp.settimeout(4 * HEARTBEAT_S)

    def read(self, count):
        data = self.bytes.read(count)
        if len(data) < count:
            raise OSError("closed")
        return data

    def send(self, opcode, data):
        assert len(data) < 65536
        short = len(data) < 126
        size = struct.pack("!B", 128 | len(data)) if short else struct.pack("!BH", 254, len(data))
        self.tcp.sendall(bytes([128 | opcode]) + size + bytes(4) + data)

    def messages(self):
        text = b""
        while True:
            first, size = self.read(2)
            if size == 126:
                (size,) = struct.unpack("!H", self.read(2))
            elif size == 127:
                (size,) = struct.unpack("!Q", self.read(8))
            data = self.read(size)
            opcode = first & 15
            if opcode == 8:
                self.send(8, data)
                raise OSError("closed by the vendor")
            if opcode == 9:
                self.send(10, data)
            elif opcode in (0, 1):
                text += data
                if first & 128:
                    yield json.loads(text)
                    text = b""


def follow(bearer, place):
    """Tells events after a place; ends with the place that the next connection goes on from."""
    epoch, last = place
    stream = Socket(ENV["VENDOR_STREAM_URL"], bearer)
    payload = {"sequenceId": last, "epoch": epoch, "agentIds": ENV["VENDOR_AGENTS"].split(",")}
    stream.send(1, json.dumps({"action": "subscribe", "payload": payload}).encode())
    held = None
    told = 0
    try:
        for message in stream.messages():
            if message["type"] not in ("event", "removed") or message["sequenceId"] <= last:
                continue
            last = message["sequenceId"]
            line = {"event": message, "cursor": f"{epoch}:{last}"}
            told += 1
            if MODE == "silent":
                continue
            if MODE == "swap" and told % 20 == 0:
                held = line
                continue
            if MODE == "forget" and told % 20 == 0:
                continue
            if MODE == "invent" and told % 20 == 0:
                message["adherence"]["state"] = "OnHoliday"
            say(line)
            if MODE == "twice" and told % 20 == 0:
                say(line)
            if MODE == "stop" and told == 20:
                print("that is enough", file=sys.stderr)
                sys.exit(3)
            if held:
                say(held)
                held = None
    except OSError as error:
        print(error, file=sys.stderr)
    return epoch, last


def main():
    if MODE == "diary":
        with open(os.path.join(ENV["CLIENT_DIR"], "lives"), "a") as lives:
            lives.write(json.dumps(dict(ENV)) + "\n")
    if MODE == "chat":
        print("hello, this is no JSON", flush=True)
    epoch, _, last = ENV.get("CLIENT_CURSOR", "").partition(":")
    place = (epoch, int(last)) if last else None
    while True:
        try:
            bearer = token()
            place = follow(bearer, place or head(bearer))
        except OSError as error:
            print(error, file=sys.stderr)
            time.sleep(0.2)


main()
