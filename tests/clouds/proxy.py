"""A proxy for an object store. It adds guarantees that the store lacks, and breaks others on request.

PUTs reach the store one after the other, because the stand-in for S3 checks If-None-Match and writes in two steps. Every
request is counted by verb and kind, under the bucket and its first folder, which is the folder of a test. A test can set
rules for its own folder, which respond in place of the store or drop a response of the store.

    POST /_proxy/rules/BUCKET/FOLDER    a list of rules, the first match applies; see Rule
    GET /_proxy/counts/BUCKET/FOLDER    the requests to the folder since the last call

usage: proxy.py PORT-OF-THE-STORE   (prints the port that it listens on)
"""

import http.client
import json
import random
import re
import socket
import sys
import threading
import time
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

UPSTREAM = int(sys.argv[1])
PUTS = threading.Lock()
STATE = threading.Lock()
RULES = {}
COUNTS = defaultdict(lambda: defaultdict(lambda: {"requests": 0, "sent": 0, "received": 0}))
HOP = {"connection", "keep-alive", "transfer-encoding", "te", "upgrade", "proxy-connection"}


class Rule:
    """The handling of requests with a verb whose path contains a text.

    verb, part    the matching requests; a POST that deletes is a DELETE, and a GET that lists is a LIST
    skip, times   applies after the first `skip` requests, to `times` requests (default: all)
    share, seed   applies to this share of them, drawn with the seed
    do            "before": not forwarded, "after": forwarded, and the response is dropped,
                  "ignore": forwarded without its conditions, "late": forwarded after `seconds`
    status, body  the response for "before" and "after"; without a status, the connection is cut
    """

    def __init__(self, spec):
        self.verb, self.part, self.do = spec.get("verb", "PUT"), spec.get("part", ""), spec["do"]
        self.left_out, self.times = spec.get("skip", 0), spec.get("times")
        self.share, self.random = spec.get("share", 1), random.Random(spec.get("seed", 0))
        self.status, self.body, self.seconds = spec.get("status"), spec.get("body", ""), spec.get("seconds", 0)

    def holds(self, verb, path):
        if self.verb not in (verb, "*") or self.part not in path or self.times == 0:
            return False
        if self.left_out > 0:
            self.left_out -= 1
            return False
        if self.share < 1 and self.random.random() >= self.share:
            return False
        if self.times is not None:
            self.times -= 1
        return True


def place_of(path, query, body):
    """Returns the bucket and its first folder. Azure's paths begin with the account. A list has its folder in the query, and a
    delete of several objects in the body."""
    parts = [part for part in path.split("/") if part]
    bucket, *key = parts[1:] if parts[:1] == ["devstoreaccount1"] else parts or [""]
    if not key:
        named = re.search(rb"<Key>([^<]+)</Key>|^DELETE (?:https?://[^/]+)?/(?:devstoreaccount1/)?[^/]+/(\S+)", body, re.MULTILINE)
        prefix = (parse_qs(query).get("prefix") or [""])[0]
        key = unquote((named and (named[1] or named[2]).decode()) or prefix).split("/")
    return f"{bucket}/{key[0]}"


def verb_of(method, path, query):
    names = parse_qs(query, keep_blank_values=True)
    if method == "POST" and ("delete" in names or names.get("comp") == ["batch"]):
        return "DELETE"
    if method == "GET" and ("list-type" in names or names.get("comp") == ["list"]):
        return "LIST"
    return method


def kind_of(verb, path):
    name = path.rsplit("/", 1)[-1]
    if verb in ("LIST", "DELETE"):
        return ""
    if name == "_last_checkpoint":
        return "hint"
    if ".checkpoint" in name:
        return "checkpoint"
    return "entry" if "/_delta_log/" in path else "file"


def table_of(path):
    """Returns the folder that contains the log, or the folders of partitions."""
    folders = [part for part in path.split("/") if part]
    inside = [at for at, folder in enumerate(folders) if folder == "_delta_log" or "=" in folder]
    return folders[inside[0] - 1] if inside and inside[0] else ""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    upstream = None

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", headers=()):
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        if not any(name.lower() == "content-length" for name, _ in headers) and status not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def cut(self):
        """Closes the connection without a response."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.connection.close()

    def control(self, word, place, body):
        with STATE:
            if word == "rules":
                RULES[place] = [Rule(spec) for spec in json.loads(body)]
                return self.answer(204)
            counts = COUNTS.pop(place, {})
        rows = [{"verb": verb, "kind": kind, "status": status, "table": table, **count}
                for (verb, kind, status, table), count in sorted(counts.items())]
        return self.answer(200, json.dumps(rows).encode(), [("Content-Type", "application/json")])

    def pass_on(self, body, conditional):
        headers = [(name, value) for name, value in self.headers.items() if name.lower() not in HOP]
        if not conditional:
            headers = [(name, value) for name, value in headers if not name.lower().startswith("if-")]
        for attempt in range(2):
            if self.upstream is None:
                self.upstream = http.client.HTTPConnection("127.0.0.1", UPSTREAM, timeout=60)
            try:
                # The Host header is forwarded unchanged, because it is signed.
                self.upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in headers:
                    self.upstream.putheader(name, value)
                self.upstream.endheaders(body or None)
                answer = self.upstream.getresponse()
                content = answer.read()
                if answer.will_close:
                    self.upstream.close()
                    self.upstream = None
                return answer.status, content, [pair for pair in answer.getheaders() if pair[0].lower() not in HOP]
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                # The store had closed the connection in the meantime; nothing was sent on it.
                self.upstream.close()
                self.upstream = None
                if attempt:
                    raise

    def relay(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        path = unquote(parts.path)
        if path.startswith("/_proxy/"):
            _, _, word, place = path.split("/", 3)
            return self.control(word, place, body)
        place, verb = place_of(path, parts.query, body), verb_of(self.command, path, parts.query)
        with STATE:
            rule = next((rule for rule in RULES.get(place, ()) if rule.holds(verb, path)), None)
        status, content, headers = None, b"", []
        if rule and rule.do == "late":
            time.sleep(rule.seconds)
        if not (rule and rule.do == "before"):
            if verb == "PUT":
                with PUTS:
                    status, content, headers = self.pass_on(body, not (rule and rule.do == "ignore"))
            else:
                status, content, headers = self.pass_on(body, True)
        if rule and rule.do in ("before", "after"):
            status, content, headers = rule.status, rule.body.encode(), [("Content-Type", "application/xml")]
        table = table_of((parse_qs(parts.query).get("prefix") or [path])[0])
        with STATE:
            count = COUNTS[place][(verb, kind_of(verb, path), status or 0, table)]
            count["requests"] += 1
            count["sent"] += len(body)
            count["received"] += len(content)
        if status is None:
            return self.cut()
        return self.answer(status, content, headers)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = relay


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_):
        # The client has disconnected.
        pass


if __name__ == "__main__":
    server = Server(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()
