"""An S3 server in memory, until standard input ends; or, told a file and a port, one that is killed;
with a file of a certificate and its key it speaks TLS.

That one answers what changes something once it is in the file, synced, and begins with what the file
holds: so what it has answered is there when it is started again, as with a store on disks.
"""

import io
import logging
import os
import pickle
import sys
import threading

from moto.server import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

logging.getLogger("werkzeug").setLevel(logging.ERROR)


class Durable:
    def __init__(self, app, path):
        self.app, self.one_at_a_time = app, threading.Lock()
        with open(path, "ab+") as file:
            file.seek(0)
            whole = 0
            try:
                while True:
                    self.ask(*pickle.load(file))
                    whole = file.tell()
            except (EOFError, pickle.UnpicklingError):
                # It was killed while it wrote what it had not answered.
                file.truncate(whole)
        self.file = open(path, "ab")

    def ask(self, environ, body):
        answered = []
        asked = environ | {"wsgi.input": io.BytesIO(body), "wsgi.errors": sys.stderr}
        parts = self.app(asked, lambda *answer: answered.append(answer))
        return answered, list(parts)

    def __call__(self, environ, start_response):
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        kept = {key: value for key, value in environ.items() if isinstance(value, str)}
        # Nobody reads what is not on disk yet.
        with self.one_at_a_time:
            answered, parts = self.ask(kept, body)
            changes = environ["REQUEST_METHOD"] not in ("GET", "HEAD")
            if changes and answered[0][0].startswith("2"):
                pickle.dump((kept, body), self.file)
                self.file.flush()
                os.fsync(self.file.fileno())
        start_response(*answered[0])
        return parts


app, port = DomainDispatcherApplication(create_backend_app), 0
if sys.argv[1:]:
    app, port = Durable(app, sys.argv[1]), int(sys.argv[2])
tls = tuple(2 * sys.argv[3:4]) or None
server = make_server("127.0.0.1", port, app, True, request_handler=MotoRequestHandler, ssl_context=tls)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(os.getpid() if sys.argv[1:] else f"http://127.0.0.1:{server.server_port}", flush=True)
sys.stdin.read()
