"""Lambda's side of one execution environment: hands out one event, takes the answer."""

import http.server
import json
import queue
import threading

NEXT = "/2018-06-01/runtime/invocation/next"
# What a whole start under emulation may take.
ANSWER_SECONDS = 120


class RuntimeApi:
    """As a context manager it listens on a free port of loopback."""

    def __enter__(self):
        self.events = queue.Queue()
        self.answers = queue.Queue()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                event = outer.events.get()
                # The end of the test.
                if event is None or self.path != NEXT:
                    self.close_connection = True
                    return
                self.reply(200, json.dumps(event).encode())

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"] or 0))
                self.reply(202, b"{}")
                outer.answers.put((self.path, body))

            def reply(self, status, body):
                self.send_response(status)
                self.send_header("Lambda-Runtime-Aws-Request-Id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd")
                self.send_header("Lambda-Runtime-Deadline-Ms", "4102444800000")
                self.send_header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-west-1:0:function:f")
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.events.put(None)
        self.server.shutdown()
        self.server.server_close()

    @property
    def address(self):
        return "{}:{}".format(*self.server.server_address)

    def invoke(self, event):
        """The function's answer to an event."""
        self.events.put(event)
        path, body = self.answers.get(timeout=ANSWER_SECONDS)
        assert path.endswith("/response"), body
        return json.loads(body)


def event(method, path, body=None, **headers):
    """An HTTP API's event (payload 2.0) as API Gateway makes it."""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"host": "quotes.example.com", "x-forwarded-proto": "https"} | headers,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "api",
            "domainName": "quotes.example.com",
            "domainPrefix": "quotes",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": "test",
            },
            "requestId": "id",
            "routeKey": "$default",
            "stage": "$default",
            "time": "23/Nov/2026:00:00:00 +0000",
            "timeEpoch": 1795392000000,
        },
        "body": body,
        "isBase64Encoded": False,
    }
