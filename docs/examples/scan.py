"""Scan from Python, with nothing but its standard library: each page becomes a file page-1.jpg, page-2.jpg ..."""

import json
import os
from urllib.request import Request, urlopen

JOBS = os.environ.get("DWTSVC_URL", "http://127.0.0.1:18622") + "/api/device/scanners/jobs"

wanted = {"device": "virtual:adf?pages=2", "config": {"Resolution": 100}}
with urlopen(Request(JOBS, json.dumps(wanted).encode(), {"Content-Type": "application/json"})) as answer:
    job = f"{JOBS}/{json.load(answer)['jobuid']}"
number = 0
while True:
    with urlopen(f"{job}/next-page?type=image/jpeg") as page:  # waits until there is one
        if page.status == 204:
            break
        number += 1
        with open(f"page-{number}.jpg", "wb") as file:
            file.write(page.read())
urlopen(Request(job, method="DELETE")).close()
