"""An endpoint of webhooks that is killed, until standard input ends: told a file and a port.

It answers a request once that is in the file, synced: a line of its key and its body.
"""

import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

path, port = sys.argv[1:]
one_at_a_time = threading.Lock()
file = open(path, "ab+")
file.seek(0)
# It was killed while it wrote what it had not answered.
file.truncate(file.read().rfind(b"\n") + 1)


class Taking(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        length = int(self.headers["content-length"])
        body = self.rfile.read(length)
        if len(body) == length:
            line = json.dumps([self.headers["webhook-id"], body.decode()]) + "\n"
            with one_at_a_time:
                file.write(line.encode())
                file.flush()
                os.fsync(file.fileno())
            self.send_response(204)
            self.end_headers()

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", int(port)), Taking)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(os.getpid(), flush=True)
sys.stdin.read()
