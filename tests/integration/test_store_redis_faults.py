# SPDX-License-Identifier: MIT
"""What can happen to Redis while the store works: each operation ends with the
code that store/store.h names for it, and all heals without a restart."""
import contextlib
import sys
import threading

from harness import *
from redis_server import *

ROW = ("save", 1, 1, "ann", "acme")


def at_once(driver, words):
    """The code of an operation that ends where it begins: before the next line
    is read."""
    tag, stats = driver.say(*words), driver.say("stats")
    order = []
    while not {tag, stats} <= set(order):
        driver.send()
        driver.read(WAIT_S)
        order += [name for name in driver.answers if name in (tag, stats)
                  and name not in order]
    driver.answers.pop(stats)
    assert order == [tag, stats], "it was waited for"
    return driver.answers.pop(tag)[0]


# --- away -----------------------------------------------------------------------------


def test_a_server_that_is_not_there_is_waited_for_once():
    with Driver(f"redis://127.0.0.1:{free_port()}", 1000) as driver:
        begin = time.monotonic()
        assert driver.rc(*ROW) == "ENOTCONN"
        assert time.monotonic() - begin >= 0.9
        assert at_once(driver, ROW) == "ENOTCONN"  # nobody waits any more
        assert driver.log().count("STORE-DOWN") == 1, driver.log()
        assert driver.stats()["store_up"] == 0


def test_a_name_that_is_none_holds_nobody_up():
    with Driver("redis://no-such-host.invalid", 1000) as driver:
        assert driver.rc(*ROW) == "ENOTCONN"
        assert "STORE-DOWN" in driver.log()


def test_operations_wait_for_a_server_that_comes_soon():
    server = Server()
    with server:
        server.kill()
        with Driver(server.url(), 10000) as driver:
            tags = [driver.say("save", 1, slot, "ann", "-") for slot in range(100)]
            until(lambda: driver.stats()["store_pending"] == 100, "the operations")
            server.start()
            assert {driver.result(tag)[0] for tag in tags} == {"0"}
            assert driver.count() == 100


def stream(driver, slots, under_way, is_over):
    """Save rows until is_over(); the slots of those that were acknowledged."""
    tags, saved, codes = {}, set(), set()
    while not is_over() or tags:
        while not is_over() and len(tags) < under_way:
            slot = next(slots)
            tags[driver.say("save", slot % 7, slot, f"user{slot % 50}", "acme")] = slot
        driver.send()
        driver.read(0.05)
        for tag in [tag for tag in tags if tag in driver.answers]:
            code = driver.answers.pop(tag)[0]
            codes.add(code)
            if code == "0":
                saved.add(tags[tag])
            del tags[tag]
    return saved, codes


def test_what_was_acknowledged_is_there_whenever_the_server_is_killed():
    """It writes to disk before it answers; what it had not answered is sent to
    the next one, so that all succeed."""
    with Server("--appendonly", "yes", "--appendfsync", "always") as server, \
            Driver(server.url(), 20000) as driver:
        def more_rows():
            """It has been connected to, and rows have come since."""
            before = server.rows()
            until(lambda: server.rows() > before + 100, "more rows")

        def killer():
            for _ in range(3):
                more_rows()
                server.kill()
                server.start()
            more_rows()

        thread = threading.Thread(target=killer)
        thread.start()
        saved, codes = stream(driver, iter(range(1, 10 ** 9)), 200,
                              lambda: not thread.is_alive())
        thread.join()
        assert codes == {"0"}, codes
        assert server.rows() == len(saved) == driver.count()
        listed = sum(len(driver.ids("user", f"user{user}", 1000, "-"))
                     for user in range(50))
        assert listed == len(saved), (listed, len(saved))
        ups = driver.log().count("STORE-UP")
        assert ups == driver.log().count("STORE-DOWN") + 1 == 4, driver.log()


def test_a_claim_is_not_made_twice_when_the_connection_breaks():
    with Server() as server, Driver(server.url(), 3000) as driver:
        assert driver.rc("keep", "dead", "9") == "0"
        server.freeze()
        tag = driver.say("claim", "dead", "mine", "9")
        until(lambda: driver.stats()["store_pending"] == 1, "the claim")
        server.kill()
        server.start()
        assert driver.result(tag)[0] == "ENOTCONN"
        driver.heals()
        assert driver.rc("keep", "dead", "1") == "0"


# --- silent ---------------------------------------------------------------------------


def test_a_frozen_server_is_given_up_and_taken_again():
    with Server() as server, Driver(server.url(), 1000) as driver:
        assert driver.rc(*ROW) == "0"
        server.freeze()
        tags = [driver.say("save", 2, slot, "ann", "-") for slot in range(50)]
        assert {driver.result(tag)[0] for tag in tags} <= {"ETIMEDOUT", "ENOTCONN"}
        until(lambda: "does not answer" in driver.log(), "the server to be given up")
        until(lambda: driver.rc(*ROW) == "ENOTCONN", "operations to fail")
        server.thaw()
        driver.heals()
        assert driver.rc("get", 1, 1) == "0"
        assert driver.log().count("STORE-DOWN") == 1, driver.log()


def clients_of(server):
    return [line for line in server.ask("CLIENT", "LIST").decode().splitlines()
            if "cmd=client" not in line]


def test_what_a_frozen_server_still_has_in_hand_does_not_come_late():
    """A save that was given up must not be done after a later remove."""
    with Server() as server, Driver(server.url(), 1000) as driver:
        assert driver.rc("save", 9, 9, "-", "-") == "0"
        for slot in range(3):
            server.freeze()
            assert driver.rc("save", 1, slot, "ann", "-") in ("ETIMEDOUT", "ENOTCONN")
            until(lambda: driver.rc("get", 1, slot) == "ENOTCONN", "the link to end")
            server.thaw()
            driver.heals()
            assert driver.rc("remove", 1, slot, "ann", "-") == "0"
            until(lambda: len(clients_of(server)) == 1, "old connections to end")
            assert driver.rc("get", 1, slot) == "ENOENT"
            assert server.ask("HLEN", "hoist:{o:AAAB}") == 0


def test_a_paused_server_only_takes_longer():
    with Server() as server, Driver(server.url(), 5000) as driver:
        assert driver.rc(*ROW) == "0"
        server.ask("CLIENT", "PAUSE", 1500, "ALL")
        begin = time.monotonic()
        assert driver.rc(*ROW) == "0"
        assert time.monotonic() - begin > 0.5
        assert driver.stats()["store_connects"] == 1


def test_beyond_the_queue_nothing_is_taken():
    with Server() as server, Driver(server.url(), 5000, queue=10) as driver:
        assert driver.rc(*ROW) == "0"
        server.freeze()
        tags = [driver.say("save", 1, slot, "-", "-") for slot in range(15)]
        assert [driver.result(tag)[0] for tag in tags[10:]] == ["ENOBUFS"] * 5
        server.thaw()
        assert [driver.result(tag)[0] for tag in tags[:10]] == ["0"] * 10
        assert driver.stats()["store_refused"] == 5


# --- unwilling ------------------------------------------------------------------------


def test_a_server_without_memory_is_busy():
    with Server("--maxmemory-policy", "noeviction") as server, \
            Driver(server.url(), 5000) as driver:
        assert driver.rc(*ROW) == "0"
        server.ask("CONFIG", "SET", "maxmemory", 1)
        assert driver.rc("save", 1, 2, "ann", "-") == "EBUSY"
        assert driver.stats()["store_retries"] == 3  # and not for all its time
        assert driver.rc("get", 1, 1) == "0"
        assert driver.rc("remove", 1, 1, "ann", "acme") == "0"
        server.ask("CONFIG", "SET", "maxmemory", 0)
        assert driver.rc("save", 1, 2, "ann", "-") == "0"
        assert driver.count() == 1 and driver.stats()["store_up"] == 1


def test_a_busy_server_is_tried_again():
    """A script that runs too long makes it answer BUSY."""
    with Server("--busy-reply-threshold", "1") as server, \
            Driver(server.url(), 10000) as driver:
        assert driver.rc(*ROW) == "0"
        other = Connection(server.port)
        other.sock.sendall(encode(["EVAL", "while true do end", 0]))

        def is_busy():
            try:
                return server.ask("PING") != "PONG"
            except RedisError as error:
                return str(error).startswith("BUSY")
        until(is_busy, "the script")
        tag = driver.say(*ROW)
        until(lambda: driver.stats()["store_retries"] > 0, "a second try")
        server.ask("SCRIPT", "KILL")
        assert driver.result(tag)[0] == "0"
        other.close()


def test_a_wrong_password_fails_at_once_until_it_is_the_right_one():
    with Server(password="right") as server, \
            Driver(f"redis://:wrong-sekret@127.0.0.1:{server.port}", 5000) as driver:
        assert driver.rc(*ROW) == "EACCES"
        assert at_once(driver, ROW) == "EACCES"
        assert "WRONGPASS" in driver.log() and "sekret" not in driver.log(), driver.log()
        server.ask("CONFIG", "SET", "requirepass", "wrong-sekret")
        server.password = "wrong-sekret"
        until(lambda: driver.rc(*ROW) == "0", "the password to be right")
    with Server(password="right") as server, \
            Driver(f"redis://127.0.0.1:{server.port}", 5000) as driver:
        assert driver.rc(*ROW) == "EACCES"


def test_a_user_without_rights_is_told_so():
    with Server() as server:
        server.ask("ACL", "SETUSER", "poor", "on", ">x", "~*", "+hget", "+ping")
        with Driver(f"redis://poor:x@127.0.0.1:{server.port}", 5000) as driver:
            assert driver.rc(*ROW) == "EACCES"
            assert driver.rc("get", 1, 1) == "ENOENT"


def test_keys_of_another_kind_are_no_crash():
    with Server() as server, Driver(server.url(), 5000) as driver:
        server.ask("SET", "hoist:{o:AAAB}", "x")
        server.ask("SET", "hoist:owners", "x")
        server.ask("SET", "hoist:leases", "x")
        server.ask("SET", "hoist:{u:ann}", "x")
        for words in (ROW, ("get", 1, 1), ("user", "ann", 10, "-"), ("count",),
                      ("owner", "AAAB", 10, "-"), ("leases",), ("keep", "a", "b"),
                      ("claim", "a", "b", "c")):
            assert driver.rc(*words) == "EREMOTEIO", words
        server.ask("FLUSHALL")
        server.ask("HSET", "hoist:{o:AAAB}", "AAABAAABAAEAAAAB", b"\xdd\xff\xff\xff\xff")
        server.ask("ZADD", "hoist:{u:ann}", 0, "AAABAAABAAEAAAAB", 0, "AAABAAACAAEAAAAB")
        assert driver.rc("get", 1, 1) == "EPROTO"
        assert driver.ids("user", "ann", 10, "-") == []
        assert driver.ids("owner", "AAAB", 10, "-") == []
        server.ask("ZADD", "hoist:{u:ann}", 0, "no id")
        assert driver.rc("user", "ann", 10, "-") == "EPROTO"


# --- hostile --------------------------------------------------------------------------


class Impostor(threading.Thread):
    """Listens, and says `answer` to each connection, again and again."""

    def __init__(self, answer, limit):
        super().__init__(daemon=True)
        self.answer, self.limit = answer, limit
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                peer = self.socket.accept()[0]
                with peer, contextlib.suppress(OSError):
                    peer.recv(65536)
                    peer.sendall(b"+PONG\r\n")
                    peer.recv(65536)
                    for _ in range(self.limit):
                        peer.sendall(self.answer)
                    while peer.recv(65536):
                        pass

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, error, trace):
        self.socket.close()


def test_a_server_that_talks_nonsense_costs_neither_crash_nor_memory():
    answers = {
        b"*2147483647\r\n": 1,                           # an array that never comes
        b"*1000000\r\n" * 7: 1,
        b"$536870912\r\n" + b"x" * 65536: 1000,          # a text of 512 MB
        b"*262144\r\n" + b"$-1\r\n" * 262144: 40,        # replies to nothing
        b"HTTP/1.1 400 Bad Request\r\n\r\n": 1,
        b"\0\xff\r\n": 100,
        b":-1\r\n$-7\r\n*-9\r\n": 10,
    }
    for answer, limit in answers.items():
        with Impostor(answer, limit) as impostor, \
                Driver(f"redis://127.0.0.1:{impostor.port}?cluster=no", 1500) as driver:
            before = driver.rss_kb()
            for words in (ROW, ("get", 1, 1), ("count",), ("user", "ann", 10, "-")):
                assert driver.rc(*words) in ("0", "EPROTO", "ENOTCONN", "ETIMEDOUT")
            assert driver.rss_kb() - before < 450000, (answer[:20], driver.rss_kb())


def test_a_cluster_of_nonsense_is_no_crash():
    places = (b"*1\r\n*3\r\n:0\r\n:16384\r\n*2\r\n$1\r\nx\r\n:1\r\n",
              b"*1\r\n*3\r\n:5\r\n:4\r\n*2\r\n$1\r\nx\r\n:1\r\n",
              b"*1\r\n*3\r\n:0\r\n:9\r\n*2\r\n$1\r\nx\r\n:0\r\n",
              b"*1\r\n*3\r\n:0\r\n:9\r\n*0\r\n", b"*1\r\n*0\r\n", b"*0\r\n",
              b"*1\r\n:1\r\n", b"$-1\r\n", b":1\r\n")
    for place in places:
        with Impostor(place, 1) as impostor, \
                Driver(f"redis://127.0.0.1:{impostor.port}", 700) as driver:
            assert driver.rc(*ROW) in ("EPROTO", "ENOTCONN", "EBUSY"), place


def test_a_redirection_without_end_ends():
    with Server() as server:
        with Impostor(b"", 0) as impostor:
            impostor.answer = b"-MOVED 1 127.0.0.1:%d\r\n" % impostor.port
            impostor.limit = 1
            with Driver(f"redis://127.0.0.1:{impostor.port}?cluster=no", 1500) as driver:
                assert driver.rc(*ROW) in ("ENOTCONN", "EBUSY", "ETIMEDOUT", "EPROTO")
        assert server.ask("PING") == "PONG"


if __name__ == "__main__":
    run(sys.modules[__name__])
