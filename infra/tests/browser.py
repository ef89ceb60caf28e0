"""A browser as far as these tests need one: cookies by host, redirects by hand."""

import dataclasses
import http.client
import urllib.parse

# More than any sign-in takes.
MOST_REDIRECTS = 10


@dataclasses.dataclass
class Answer:
    """A response."""

    status: int
    headers: http.client.HTTPMessage
    body: str
    url: str

    @property
    def location(self):
        return urllib.parse.urljoin(self.url, self.headers["Location"])


class Browser:
    """Keeps cookies. Every host is this machine: names below localhost need no resolver."""

    def __init__(self):
        self.cookies = {}

    def request(self, method, url, body=None, **headers):
        """One exchange. Header names are given with underscores."""
        parts = urllib.parse.urlsplit(url)
        kept = self.cookies.setdefault(parts.netloc, {})
        sent = {name.replace("_", "-"): value for name, value in headers.items()} | {"Host": parts.netloc}
        if kept:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in kept.items())
        if body is not None:
            sent.setdefault("Content-Type", "application/x-www-form-urlencoded")
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection = http.client.HTTPConnection("127.0.0.1", parts.port, timeout=30)
        try:
            connection.request(method, target, body, sent)
            response = connection.getresponse()
            answer = Answer(response.status, response.headers, response.read().decode(), url)
        finally:
            connection.close()
        for line in response.headers.get_all("Set-Cookie") or []:
            self._keep(kept, line)
        return answer

    def visit(self, url):
        """Follows redirects to the end; the last answer."""
        for _ in range(MOST_REDIRECTS):
            answer = self.request("GET", url, Sec_Fetch_Dest="document", Accept="text/html")
            if answer.status not in (302, 303, 307):
                return answer
            url = answer.location
        raise AssertionError(f"too many redirects, the last to {url}")

    @staticmethod
    def _keep(kept, line):
        pair, *attributes = line.split(";")
        name, value = pair.split("=", 1)
        gone = any(a.strip().lower() in ("max-age=0", "expires=thu, 01 jan 1970 00:00:00 gmt") for a in attributes)
        if gone or not value:
            kept.pop(name, None)
        else:
            kept[name] = value
