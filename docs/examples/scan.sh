#!/bin/sh
# Scan from a shell, with curl and jq: each page becomes a file page-1.jpg, page-2.jpg ...
set -eu
jobs=${DWTSVC_URL:-http://127.0.0.1:18622}/api/device/scanners/jobs
job=$jobs/$(curl -fs "$jobs" -d '{"device": "virtual:adf?pages=2", "config": {"Resolution": 100}}' | jq -r .jobuid)
number=1
while [ "$(curl -fs "$job/next-page?type=image/jpeg" -o "page-$number.jpg" -w '%{http_code}')" = 200 ]; do
    number=$((number + 1))
done
rm -f "page-$number.jpg" # 204: there is none any more
curl -fs -X DELETE "$job"
