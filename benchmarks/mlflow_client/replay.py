"""A canned copy of another server: `replay.py PORT TARGET_PORT` asks each question once.

From then on it answers from memory, so that what a client takes is the client's own time.
"""

from __future__ import annotations

import http.client
import sys

import uvicorn

TARGET = int(sys.argv[2])
known: dict[tuple[str, str, bytes], bytes] = {}


def asked(method: str, path: str, body: bytes) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", TARGET, timeout=60)
    connection.request(method, path, body=body, headers={"Content-Type": "application/json"})
    answer = connection.getresponse()
    content = answer.read()
    assert answer.status == 200, content[:500]
    return content


async def app(scope, receive, send) -> None:
    if scope["type"] != "http":
        return
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    query = scope["query_string"].decode()
    question = (scope["method"], scope["path"] + (f"?{query}" if query else ""), body)
    if question not in known:
        known[question] = asked(*question)
    headers = [(b"content-type", b"application/json")]
    headers.append((b"content-length", b"%d" % len(known[question])))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": known[question]})


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="error", lifespan="off")
