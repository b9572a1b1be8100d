# SPDX-License-Identifier: MIT
# Tells who is connected (?name=…): serves "$connect" and "who".  usage: who.py ENDPOINT
import io, json, os, signal, sys, time, msgpack, zmq

if len(sys.argv) != 2: sys.exit("usage: who.py ENDPOINT")
signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it in silence
sock = zmq.Context().socket(zmq.DEALER)
sock.connect(sys.argv[1])
hello = [1, 1, "worker", os.urandom(8).hex(), "who.py", {}]  # boot id: once a start
# Window 1: no other request comes while one waits for its RESULT, so order is kept.
ready, due = [3, ["$connect", "who"], 1, 1 << 20], 0

def send(*messages):
    sock.send(b"".join(map(msgpack.packb, messages)))

send(hello, ready)
while True:
    if time.monotonic() >= due:  # PING, whatever comes in
        send([16])
        due = time.monotonic() + 0.5
    frame = sock.recv() if sock.poll(500) else b""
    for kind, *fields in msgpack.Unpacker(io.BytesIO(frame)):
        if kind == 4 and fields[1] == 1:  # CONNECT: the name is the user, all are in a room
            name = dict(fields[7]["query"]).get("name", "nobody")
            send([5, fields[0], 200, None, {"user": name, "tenant": "room"}])
        elif kind == 4:  # ask; the QUERY has the id of the REQUEST
            send([12, fields[0], ["tenant", "room"], {"limit": 1000}])
        elif kind == 13:  # the RESULT makes the REPLY; without a body it is an error frame
            names = sorted(context.get("user", "") for _, context in fields[2])
            send([5, fields[0], fields[1], json.dumps(names) if fields[1] == 200 else None])
        elif kind == 21:
            send(hello, ready)
