"""The live report, served from a thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer

from harness.report.serving import Live, server


@contextmanager
def running(live: Live) -> Iterator[ThreadingHTTPServer]:
    with server(live) as http_server:
        thread = threading.Thread(target=http_server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield http_server
        finally:
            http_server.shutdown()
            thread.join()
