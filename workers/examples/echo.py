# SPDX-License-Identifier: MIT
# A whole worker: serves the route "echo".  usage: echo.py ENDPOINT
import io, os, sys, time, msgpack, zmq

sock = zmq.Context().socket(zmq.DEALER)
sock.connect(sys.argv[1])
boot, due = os.urandom(8).hex(), 0  # boot id: once a start

def send(*message):
    sock.send(msgpack.packb(message))

def greet():
    send(1, 1, "worker", boot, "echo.py", {})
    send(3, ["echo"], 64, 1 << 20)

greet()
while True:
    if time.monotonic() >= due:  # PING, whatever comes in
        send(16)
        due = time.monotonic() + 0.5
    frame = sock.recv() if sock.poll(500) else b""
    for kind, *fields in msgpack.Unpacker(io.BytesIO(frame)):
        if kind == 4:
            send(5, fields[0], 200, fields[4])
        elif kind == 21:
            greet()
