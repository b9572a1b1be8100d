# SPDX-License-Identifier: MIT
"""RFC 6455 framing on a real socket: what breaks the rules is closed with the
code and reason of gateway/ws.c, what keeps them is answered, and whoever else
is connected notices nothing."""
import re
import sys

from harness import *

FIN_TEXT = 0x81
KEY = b"\0\0\0\0"  # masking with it changes nothing


def echo(worker, count=1):
    """Answer so many requests with what they carry; return the last."""
    for _ in range(count):  # one at a time: a new worker's window is small
        request = worker.get(REQUEST)
        worker.reply(request, body=request[5])
    return request


def assert_works(client, worker, text='{"action":"echo"}'):
    client.send(text)
    echo(worker)
    assert client.recv() == (1, text.encode())


def assert_closed(client, code, reason):
    """The close frame, byte for byte, and then the end of the stream."""
    payload = struct.pack(">H", code) + reason
    want = bytes([0x88, len(payload)]) + payload
    got = client.take(len(want))
    assert got == want, (got, want)
    try:
        client.more()
    except (EOFError, ConnectionError):
        return
    raise AssertionError(f"more behind the close frame: {client.buffer!r}")


# What a client sends, and the code and reason of the close that answers it.
BROKEN = [
    (b"\x81\x02{}", 1002, b"frame is not masked"),
    (b"\xc1\x80" + KEY, 1002, b"reserved bits are set"),
    (b"\xa1\x80" + KEY, 1002, b"reserved bits are set"),
    (b"\x91\x80" + KEY, 1002, b"reserved bits are set"),
    (b"\x83\x80" + KEY, 1002, b"unknown opcode"),
    (b"\x87\x80" + KEY, 1002, b"unknown opcode"),
    (b"\x8b\x80" + KEY, 1002, b"unknown opcode"),
    (b"\x8f\x80" + KEY, 1002, b"unknown opcode"),
    (b"\x81\x81" + KEY + b"\xff", 1007, b"text is not UTF-8"),
    (b"\x81\x83" + KEY + b"\xed\xa0\x80", 1007, b"text is not UTF-8"),
    (b"\x01\x81" + KEY + b"\xc3" + b"\x80\x81" + KEY + b"(", 1007,
     b"text is not UTF-8"),
    (b"\x01\x81" + KEY + b"\xc3" + b"\x80\x80" + KEY, 1007,
     b"text is not UTF-8"),
    (b"\x80\x81" + KEY + b"x", 1002, b"nothing to continue"),
    (b"\x01\x81" + KEY + b"x" + b"\x81\x81" + KEY + b"y", 1002,
     b"continuation expected"),
    (b"\x09\x80" + KEY, 1002, b"control frame is fragmented"),
    (b"\x08\x80" + KEY, 1002, b"control frame is fragmented"),
    (b"\x89\xfe\x00\x7e" + KEY, 1002, b"control frame is too long"),
    (b"\x81\xfe\x00\x05" + KEY, 1002, b"length is not in its shortest form"),
    (b"\x81\xff" + struct.pack(">Q", 65535) + KEY, 1002,
     b"length is not in its shortest form"),
    (b"\x81\xff" + b"\xff" * 8 + KEY, 1002,
     b"length is not in its shortest form"),
    (b"\x88\x81" + KEY + b"\x03", 1002, b"close frame of one byte"),
    (b"\x88\x84" + KEY + b"\x03\xe8\xff\xff", 1007,
     b"close reason is not UTF-8"),
] + [
    (b"\x88\x82" + KEY + struct.pack(">H", code), 1002,
     b"close code is not allowed")
    for code in (0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65535)
]


def test_broken_frames_are_closed_with_their_code_and_reason():
    with Hoist() as hoist:
        worker = Worker(hoist.workers, "echo")
        bystander = Client(hoist.address).opened()
        for sent, code, reason in BROKEN:
            client = Client(hoist.address).opened()
            client.raw(sent)
            assert_closed(client, code, reason)
            assert_works(bystander, worker)
        stats = hoist.stats("GATEWAY")
        assert stats["protocol_errors"] == len(BROKEN), stats
        assert stats["too_big"] == 0


def test_too_long_frames_and_messages_are_closed_with_1009():
    with Hoist("--max-frame=1000", "--max-message=1500") as hoist:
        worker = Worker(hoist.workers, "echo", "$default")
        bystander = Client(hoist.address).opened()
        longest = Client(hoist.address).opened()
        longest.frame(2, bytes(1000), fin=False)
        longest.frame(0, bytes(500))
        echo(worker)
        assert longest.recv() == (2, bytes(1500))
        frame = Client(hoist.address).opened()
        frame.frame(2, bytes(1001))
        assert_closed(frame, 1009, b"frame is too long")
        message = Client(hoist.address).opened()
        message.frame(2, bytes(1000), fin=False)
        message.frame(0, bytes(501))
        assert_closed(message, 1009, b"message is too long")
        assert hoist.stats("GATEWAY")["too_big"] == 2
        assert_works(bystander, worker)


def test_a_close_frame_is_echoed_and_the_stream_ends():
    with Hoist() as hoist:
        worker = Worker(hoist.workers, "echo")
        bystander = Client(hoist.address).opened()
        for code in (1000, 1001, 1003, 1007, 1014, 3000, 4999):
            client = Client(hoist.address).opened()
            client.frame(8, struct.pack(">H", code) + b"bye")
            assert_closed(client, code, b"bye")
        client = Client(hoist.address).opened()
        client.frame(8, b"")
        assert client.take(2) == b"\x88\x00"
        assert_works(bystander, worker)
        assert hoist.stats("GATEWAY")["protocol_errors"] == 0


def test_pings_are_answered_each_with_its_payload():
    with Hoist() as hoist:
        worker = Worker(hoist.workers, "echo")
        client = Client(hoist.address).opened()
        for size in (0, 1, 125):
            client.frame(9, b"p" * size)
            assert client.recv() == (10, b"p" * size)
        for i in range(10):
            client.frame(9, b"%d" % i)
        assert [client.recv() for _ in range(10)] == \
            [(10, b"%d" % i) for i in range(10)]
        client.frame(10, b"nobody asked")
        assert_works(client, worker)


def test_fragments_become_one_message_and_pings_may_stand_between():
    with Hoist() as hoist:
        worker = Worker(hoist.workers, "echo")
        client = Client(hoist.address).opened()
        text = '{"action":"echo","s":"é"}'.encode()
        cut = text.index("é".encode()) + 1  # within the character
        client.frame(1, text[:cut], fin=False)
        client.frame(9, b"between")
        assert client.recv() == (10, b"between")
        client.frame(0, b"", fin=False)
        client.frame(0, text[cut:])
        echo(worker)
        assert client.recv() == (1, text)


def test_each_form_of_length_carries_its_payload():
    with Hoist() as hoist:
        worker = Worker(hoist.workers, "$default")
        client = Client(hoist.address).opened()
        for size in (0, 1, 125, 126, 127, 65535, 65536, 131072):
            data = bytes(i % 251 for i in range(size))
            client.frame(2, data)
            echo(worker)
            assert client.recv() == (2, data), size


def test_bytes_may_come_one_by_one_and_frames_all_at_once():
    with Hoist() as hoist:
        worker = Worker(hoist.workers, "echo")
        client = Client(hoist.address).opened()
        client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        text = b'{"action":"echo"}'
        frame = bytes([FIN_TEXT, 0x80 | len(text)]) + KEY + text
        for byte in frame:
            client.raw(bytes([byte]))
        echo(worker)
        assert client.recv() == (1, text)
        client.raw(frame * 50)
        echo(worker, 50)
        assert [client.recv() for _ in range(50)] == [(1, text)] * 50


def test_a_text_that_yields_no_route_goes_to_default():
    strange = ["", "5", "null", "[]", "{}", '"echo"', "{", "nul",
               '{"action":{"a":1}}', '{"action":["echo"]}',
               "[" * 100000, '{"action":' * 10000]
    with Hoist() as hoist:
        worker = Worker(hoist.workers, "echo", "$default")
        bystander = Client(hoist.address).opened()
        client = Client(hoist.address).opened()
        for text in strange:
            client.send(text)
            request = echo(worker)
            assert request[4] == "$default", (text[:30], request[4])
            assert client.recv() == (1, text.encode())
            assert_works(bystander, worker)
        assert_works(client, worker)


def nested(before, opening, closing, depth, after):
    return before + opening * depth + "1" + closing * depth + after


def test_json_nested_100000_deep_goes_to_default_and_nobody_notices():
    deep = 100000
    texts = {nested("", "[", "]", deep, ""): "$default",
             nested("", '{"a":', "}", deep, ""): "$default",
             nested("", '{"action":', "}", deep, ""): "$default",
             nested('{"action":"echo","x":', "[", "]", deep, "}"): "$default",
             nested('{"x":', "[", "]", deep, ',"action":"echo"}'): "$default",
             nested("", "[", "", deep, ""): "$default",
             # one container more than this is too deep for a route
             nested('{"action":"echo","x":', "[", "]", 1023, "}"): "echo",
             nested('{"action":"echo","x":', "[", "]", 1024, "}"): "$default"}
    with Hoist("--max-frame=2000000", "--max-message=2000000") as hoist:
        worker = Worker(hoist.workers, "echo", "$default")
        bystander = Client(hoist.address).opened()
        client = Client(hoist.address).opened()
        for text, route in texts.items():
            client.send(text)
            request = echo(worker)
            assert request[4] == route, (text[:30], request[4])
            assert request[5] == text, text[:30]
            assert client.recv() == (1, text.encode())
            assert_works(bystander, worker)
        assert_works(client, worker)


def test_of_equal_names_the_last_is_the_route():
    with Hoist() as hoist:
        worker = Worker(hoist.workers, "one", "two", "5", '{"a":1}')
        client = Client(hoist.address).opened()
        routes = {'{"action":"one","action":"two"}': "two",
                  '{"action":5}': "5", '{"action":{"a":1}}': '{"a":1}'}
        for text, route in routes.items():
            client.send(text)
            assert echo(worker)[4] == route
            assert client.recv() == (1, text.encode())


def test_without_default_the_error_frame_is_exact():
    with Hoist() as hoist:
        worker = Worker(hoist.workers, "echo")
        client = Client(hoist.address).opened()
        client.send('{"action":"echo"}')
        conn = echo(worker)[3]
        client.recv()
        for text in ("5", '{"action":{}}', "[" * 100000):
            client.send(text)
            opcode, frame = client.recv()
            want = (r'\{"message": "Forbidden", "connectionId":"%s", '
                    r'"requestId":"[\w-]{11}="\}' % re.escape(conn))
            assert opcode == 1 and re.fullmatch(want, frame.decode()), frame
        assert_works(client, worker)
        assert hoist.stats("GATEWAY")["error_frames"] == 3


if __name__ == "__main__":
    run(sys.modules[__name__])
