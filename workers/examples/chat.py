# SPDX-License-Identifier: MIT
# The worker behind the page in chat/, as chat.c, with the protocol alone: a name is a
# user, a room a group (for pushes) and a tenant (to ask who is there); nothing is kept
# here, so run as many as you like.  usage: chat.py ENDPOINT
import collections, io, itertools, json, os, signal, sys, time, msgpack, zmq

REQUEST, REPLY, PUSH, PUSHED, QUERY, RESULT, PING, WHO = 4, 5, 6, 7, 12, 13, 16, 21
CONNECT, MESSAGE, DISCONNECT = 1, 2, 3
NAME_BYTES, TEXT_BYTES = 32, 4096
USAGE = 'This chat understands {"action":"say","text":"…"} and {"action":"who"}'

if len(sys.argv) != 2: sys.exit("usage: chat.py ENDPOINT")
signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it in silence
sock = zmq.Context().socket(zmq.DEALER)
sock.connect(sys.argv[1])
hello = [1, 1, "worker", os.urandom(8).hex(), "chat.py", {}]  # boot id: once a start
# Window 1: no other request comes while one waits for an answer, so order is kept.
ready = [3, ["$connect", "$disconnect", "say", "who", "$default"], 1, 1 << 20]
inbox, numbers, pinged = collections.deque(), itertools.count(1), 0

class Forgotten(Exception):
    """The broker does not know us any more; what we held is over."""

class Refused(Exception):
    """The event ends with this status."""

def send(*messages):
    sock.send(b"".join(map(msgpack.packb, messages)))

def receive():
    """The next message; PINGs and greetings are seen to."""
    global pinged
    while not inbox:
        if time.monotonic() - pinged >= 0.5:
            send([PING])
            pinged = time.monotonic()
        if sock.poll(500):
            inbox.extend(msgpack.Unpacker(io.BytesIO(sock.recv())))
    message = inbox.popleft()
    if message[0] == WHO:
        inbox.clear()
        send(hello, ready)
        raise Forgotten
    return message

def wait_for(kind, number):
    while True:
        message = receive()
        if message[:2] == [kind, number]:
            return message

def push(target, number=None, **message):
    options = {} if number is None else {"ack": number}
    send([PUSH, target, json.dumps(message), options])

def reaches(connection, **message):
    """Does it reach somebody?"""
    number = next(numbers)
    push(["connection", connection], number, **message)
    return wait_for(PUSHED, number)[2] > 0

def find(what, name):
    """[connection, context] of all, page by page."""
    options = {}
    while True:
        number = next(numbers)
        send([QUERY, number, [what, name], options])
        _, _, status, rows, *more = wait_for(RESULT, number)
        if status != 200:
            raise Refused(status)
        yield from rows
        options = more[0] if more else {}
        if "cursor" not in (options or {}):
            return

# Each handler returns the fields of its REPLY: status, body, options.

def is_name(text):
    return 1 <= len(text.encode()) <= NAME_BYTES and "\0" not in text

def connect(details, **_):
    query = dict(reversed(details["query"]))  # the first of a name counts
    name, room = query.get("name", ""), query.get("room") or "lobby"
    if not is_name(name) or not is_name(room):
        return 400, "A name and a room have 1 to 32 bytes"
    for connection, context in find("user", name):
        if context.get("tenant") == room and reaches(connection, type="taken", name=name):
            return 409, "Somebody in this room has that name"
    push(["group", room], type="joined", name=name)
    return 200, None, {"user": name, "tenant": room, "groups": [room]}

def disconnect(name, room, **_):
    push(["group", room], type="left", name=name)
    return 200, None

def say(name, room, body, **_):
    try:
        text = json.loads(body)["text"]
        length = len(text.encode())
    except (ValueError, TypeError, RecursionError, LookupError, AttributeError):
        raise Refused(400)  # whatever JSON may hold besides a text
    if not 1 <= length <= TEXT_BYTES:
        raise Refused(413 if length else 400)
    push(["group", room], type="said", name=name, text=text)
    return 200, None

def who(name, room, **_):
    names = [context.get("user", "") for _, context in find("tenant", room)]
    return 200, json.dumps({"type": "here", "you": name, "room": room, "names": names})

def other(**_):
    return 200, json.dumps({"type": "error", "text": USAGE})

HANDLERS = {"$connect": connect, "$disconnect": disconnect, "say": say, "who": who}

def handle(id, event, connection, route, body, deadline_ms, context, details, *_):
    handler = HANDLERS.get(route, other)
    room, name = (context or {}).get("tenant"), (context or {}).get("user")
    if room is None and handler not in (connect, other):
        fields = 403, None  # no $connect of ours has let it in
    else:
        try:
            fields = handler(name=name, room=room, body=body, details=details)
        except Refused as refused:
            fields = *refused.args, None
    send([REPLY, id, *fields])

send(hello, ready)
while True:
    try:
        kind, *fields = receive()
        if kind == REQUEST:
            handle(*fields)
    except Forgotten:
        pass
