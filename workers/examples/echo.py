# SPDX-License-Identifier: MIT
# A whole worker: serves the route "echo".  usage: echo.py ENDPOINT
import io, os, signal, sys, time, msgpack, zmq

if len(sys.argv) != 2: sys.exit("usage: echo.py ENDPOINT")
signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it in silence
sock = zmq.Context().socket(zmq.DEALER)
sock.connect(sys.argv[1])
hello = [1, 1, "worker", os.urandom(8).hex(), "echo.py", {}]  # boot id: once a start
ready, due = [3, ["echo"], 64, 1 << 20], 0

def send(*messages):
    sock.send(b"".join(map(msgpack.packb, messages)))

send(hello, ready)
while True:
    if time.monotonic() >= due:  # PING, whatever comes in
        send([16])
        due = time.monotonic() + 0.5
    frame = sock.recv() if sock.poll(500) else b""
    for kind, *fields in msgpack.Unpacker(io.BytesIO(frame)):
        if kind == 4: send([5, fields[0], 200, fields[4]])
        elif kind == 21: send(hello, ready)
        elif kind == 22: print(*fields, file=sys.stderr)  # what it refuses, and why
