"""Creates the bucket, or container, in which each test has its own folder.

usage: bucket.py s3|azure ADDRESS
"""

import base64
import hashlib
import hmac
import sys
import urllib.request
from email.utils import formatdate

kind, address = sys.argv[1:]
if kind == "s3":
    request = urllib.request.Request(f"{address}/clouds", method="PUT")
else:
    headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2021-08-06"}
    lines = ["PUT", *[""] * 11, *(f"{name}:{value}" for name, value in sorted(headers.items()))]
    signed = "\n".join([*lines, "/devstoreaccount1/devstoreaccount1/clouds", "restype:container"])
    signature = base64.b64encode(hmac.digest(b"the key of the tests", signed.encode(), hashlib.sha256)).decode()
    headers |= {"Authorization": f"SharedKey devstoreaccount1:{signature}", "Content-Length": "0"}
    request = urllib.request.Request(f"{address}/devstoreaccount1/clouds?restype=container", headers=headers, method="PUT")
urllib.request.urlopen(request).read()
