# SPDX-License-Identifier: MIT
# A whole worker: serves the route "echo".  usage: echo.py ENDPOINT
import os, sys, msgpack, zmq

sock = zmq.Context().socket(zmq.DEALER)
sock.connect(sys.argv[1])
boot = os.urandom(8).hex()  # once a start: it tells a restart from a greeting

def send(*message):
    sock.send(msgpack.packb(message))

def greet():
    send(1, 1, "worker", boot, "echo.py", {})
    send(3, ["echo"], 64, 1 << 20)

greet()
while True:
    if not sock.poll(1000):
        send(16)
        continue
    unpacker = msgpack.Unpacker()
    unpacker.feed(sock.recv())
    for kind, *fields in unpacker:
        if kind == 4:
            send(5, fields[0], 200, fields[4])
        elif kind == 21:
            greet()
