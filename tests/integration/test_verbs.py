# SPDX-License-Identifier: MIT
"""The verbs for a system that runs, against real processes: two brokers, two
gateways and their workers; and what their terminal is left with."""
import contextlib
import fcntl
import http.client
import http.server
import json
import pty
import sys
import termios
import threading
import unicodedata

from harness import *

HOIST = BUILD + "/cli/hoist"
NASTY = "n\x1b[31m\u202e\x9b"  # what a terminal would obey


def hoist(admin, *words, status=0, stdin=None):
    """What a verb prints; its complaints go into the same text."""
    ran = subprocess.run([HOIST, *words], input=stdin, timeout=WAIT_S + 15,
                         env={**os.environ, "HOIST_ADMIN": admin},
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    text = ran.stdout.decode()
    assert ran.returncode == status, (words, ran.returncode, text)
    assert is_harmless(text, "--json" in words), (words, text)
    return text


def is_harmless(text, is_json=False):
    """No controls; and for people none that turn the direction either."""
    harm = ("Cc",) if is_json else ("Cc", "Cf")
    return all(c == "\n" or unicodedata.category(c) not in harm for c in text)


def document(admin, *words, **options):
    text = hoist(admin, *words, "--json", **options)
    assert text.count("\n") == 1
    return json.loads(text)


def rows(text, head):
    """The rows of the table whose first columns are called so, split."""
    lines = text.split("\n")
    start = next(i for i, line in enumerate(lines)
                 if line.split()[:len(head.split())] == head.split())
    return [line.split() for line in lines[start + 1:(lines + [""]).index("", start)]]


class System:
    """Two brokers with a scripted worker each, two gateways."""

    def __init__(self, *routes):
        self.stack = contextlib.ExitStack()
        self.brokers = [self.start("broker", f"--name=b{i}") for i in (1, 2)]
        every = "--broker=" + ",".join(broker.gateways for broker in self.brokers)
        self.gateways = [self.start("gateway", every, "--name=" + name)
                         for name in ("g1", NASTY)]
        self.workers = [Worker(broker.workers, "echo", "$connect", "$disconnect", *routes)
                        for broker in self.brokers]
        self.processes = [*self.brokers, *self.gateways]
        self.admin = ",".join(map(admin_of, self.processes))
        until(lambda: self.status()["well"] and self.links_up() == 4, "links")

    def start(self, command, *flags):
        return self.stack.enter_context(Hoist("--admin=0", *flags, command=command))

    def status(self):
        text = subprocess.run([HOIST, "status", "--json", "--interval=0",
                               "--admin", self.admin], stdout=subprocess.PIPE,
                              timeout=WAIT_S).stdout
        return json.loads(text)

    def links_up(self):
        return sum(link["state"] == "up" for process in self.status()["processes"]
                   for link in process.get("gateway", {}).get("brokers", []))

    def serve(self, count, **reply):
        """Answer so many requests, of whichever broker."""
        end = time.monotonic() + WAIT_S
        while count > 0:
            assert time.monotonic() < end, "a request that did not come"
            for worker in self.workers:
                worker.pump(5)
                for request in [m for m in worker.inbox if m[0] == REQUEST]:
                    worker.inbox.remove(request)
                    worker.reply(request, **reply)
                    count -= 1

    def connect(self, gateway, **options):
        client = Client(self.gateways[gateway].address)
        self.serve(1, options=options)
        return client.opened()

    def say(self, client, key, **reply):
        client.send(json.dumps({"action": key}))
        self.serve(1, body="well", **reply)
        assert client.recv() == (1, b"well")

    def __enter__(self):
        return self

    def __exit__(self, *why):
        for process in self.gateways:
            process.kill()  # nobody answers their DISCONNECTs
        return self.stack.__exit__(*why)


def admin_of(process):
    return process.find(r"ADMIN-LISTENING address=(\S+)")


# --- status ------------------------------------------------------------------

def test_status_tells_of_all_processes():
    with System() as system:
        system.connect(0, user="u1")
        client = system.connect(1, user="u2")
        system.say(client, "echo")
        text = hoist(system.admin, "status")
        assert text.startswith("Well: 2 gateways, 2 brokers, 2 workers, 2 connections.\n")
        assert [row[0] for row in rows(text, "GATEWAY ADDRESS")] == ["g1", "n?[31m??"]
        links = rows(text, "GATEWAY ITS BROKER")
        assert [row[2] for row in links] == ["up"] * 4, links
        assert [row[:2] for row in rows(text, "BROKER")] == [["b1", "ready"], ["b2", "ready"]]
        workers = rows(text, "WORKER")
        assert [row[:3] for row in workers] == [["test", "b1", "ready"], ["test", "b2", "ready"]]
        assert workers[0][-3:] == ["$connect", "$disconnect", "echo"]
        assert {row[0]: row[1] for row in rows(text, "ROUTE")} == \
            {"$connect": "2", "$disconnect": "2", "echo": "2"}


def test_a_worker_of_two_brokers_is_one_and_what_was_not_asked_is_not_counted():
    with System() as system:
        boot = system.workers[0].boot
        both = Worker(system.brokers[1].workers, "echo")
        both.boot = boot + ".1"  # as one that has lost this broker once
        both.send([BYE])
        both.send([HELLO, 1, "worker", both.boot, "test", {}], [READY, ["echo"], 64, 1 << 20])
        assert both.get(WELCOME)
        brokers, gateway = (",".join(map(admin_of, which))
                            for which in (system.brokers, system.gateways[:1]))
        until(lambda: hoist(brokers, "status").startswith("Well: 2 brokers, 2 workers.\n"),
              "three, of which two are one")
        assert len(rows(hoist(brokers, "status"), "WORKER")) == 3
        assert hoist(gateway, "status").startswith("Well: 1 gateway, 0 connections.\n")
        both.die()


def test_a_broker_that_was_never_heard_is_not_silent():
    with Hoist("--broker=tcp://127.0.0.1:1", "--admin=0", command="gateway",
               finds_broker=False) as gateway:
        text = hoist(admin_of(gateway), "status", status=1)
        assert rows(text, "GATEWAY ITS BROKER")[0][-1] == "-", text


def test_status_as_json_has_what_each_process_says():
    with System() as system:
        client = system.connect(0)
        system.say(client, "echo")
        told = document(system.admin, "status", "--interval", "50")
        assert told["well"] is True and told["reasons"] == []
        assert told["a_second"]["messages_in"] >= 0
        processes = told["processes"]
        assert [process["admin"] for process in processes] == system.admin.split(",")
        assert [name in process for process in processes for name in ("broker", "gateway")] \
            == [True, False, True, False, False, True, False, True]
        assert processes[3]["gateway"]["name"] == NASTY
        gateway = processes[2]["gateway"]
        assert gateway["counters"]["messages_in"] == 1
        assert gateway["address"] == system.gateways[0].address
        assert all(link["window"] > 0 and link["in_flight"] == 0
                   for link in gateway["brokers"])
        worker = processes[0]["broker"]["workers"][0]
        assert (worker["window"], worker["held"], worker["draining"]) == (64, 0, False)
        assert worker["routes"] == ["$connect", "$disconnect", "echo"]
        assert {row["route"] for row in told["routes"]} == {"echo", "$connect", "$disconnect"}
        assert "a_second" not in document(system.admin, "status", "--interval=0")


def test_who_is_not_well_is_named_and_the_status_says_so():
    with System() as system:
        lost = admin_of(system.brokers[1])
        system.brokers[1].kill()
        until(lambda: system.links_up() == 2, "the loss")
        text = hoist(system.admin, "status", status=1)
        assert text.startswith("Not well: 2 gateways, 1 broker, ")
        assert f"  {lost}: no answer: " in text
        assert "gateway: degraded: 1 of 2 brokers are up" in text
        rest = ",".join(where for where in system.admin.split(",") if where != lost)
        text = hoist(rest, "status")
        assert text.startswith("Well, with less than there should be: ")
        system.brokers[0].kill()
        until(lambda: system.links_up() == 0, "the loss")
        text = hoist(rest, "status", status=1)
        assert "gateway: no broker is up" in text
        hoist(lost, "status", status=3)
        assert document(lost, "status", status=3)["well"] is False


def test_one_process_is_a_system_too():
    with Hoist("--admin=0") as alone:
        text = hoist(admin_of(alone), "status", "--interval", "0")
        assert text.startswith("Well, with less than there should be: 1 gateway, 1 broker, "
                               "0 workers, 0 connections;\n  no worker serves anything\n")
        worker = Worker(alone.workers, "echo")
        until(lambda: hoist(admin_of(alone), "status", "--interval=0").startswith(
            "Well: 1 gateway, 1 broker, 1 worker, 0 connections.\n"), "the worker")
        port = admin_of(alone).rsplit(":", 1)[1]
        assert hoist("127.0.0.1:1", "status", "--interval=0", "--admin", port) \
            .startswith("Well: ")
        worker.die()


# --- routes, groups, connections ---------------------------------------------

def test_routes_are_those_of_all_brokers_added_up():
    with System("pay") as system:
        clients = [system.connect(i % 2) for i in range(8)]
        for client in clients:
            system.say(client, "echo")
        system.say(clients[0], "pay", status=500)
        told = {row["route"]: row for row in document(system.admin, "routes")["routes"]}
        assert told["echo"]["requests"] == told["echo"]["replies"] == 8
        assert told["echo"]["handler"]["count"] == told["echo"]["wait"]["count"] == 8
        assert 0 < told["echo"]["handler"]["p50_us"] <= told["echo"]["handler"]["max_us"]
        assert told["echo"]["workers"] == 2 and told["$connect"]["requests"] == 8
        assert told["pay"]["failed"] == 1 and told["pay"]["waiting"] == 0
        table = {row[0]: row for row in rows(hoist(system.admin, "routes"), "ROUTE")}
        assert table["echo"][1:7] == ["2", "8", "0", "0", "0", "0"]
        assert table["$disconnect"][-2:] == ["-", "-"]
        gateways = ",".join(map(admin_of, system.gateways))
        assert "none of those that were asked is a broker" in \
            hoist(gateways, "routes", status=3)


def test_more_routes_than_a_page_and_than_are_told_apart():
    keys = [f"r{i:04}" for i in range(1000)]
    with Hoist("--admin=0") as alone:
        worker = Worker(alone.workers, *keys)
        told = document(admin_of(alone), "routes")["routes"]
        assert [row["route"] for row in told] == keys
        assert all(row["workers"] == 1 for row in told)
        worker.die()


def test_groups_are_those_of_all_gateways():
    with System() as system:
        for i in range(4):
            system.connect(i % 2, user="u", tenant="t", groups=["all", NASTY, f"own{i}"])
        told = document(system.admin, "groups")
        assert told["more"] is False
        assert [(row["name"], row["members"]) for row in told["groups"]] == [
            ("all", 4), (NASTY, 4), ("own0", 1), ("own1", 1), ("own2", 1), ("own3", 1)]
        assert document(system.admin, "groups", "--type=user")["groups"] == \
            [{"type": "user", "name": "u", "members": 4}]
        told = document(system.admin, "groups", "--type", "all")["groups"]
        assert [row["type"] for row in told] == ["group"] * 6 + ["tenant", "user"]
        table = rows(hoist(system.admin, "groups"), "TYPE")
        assert ["group", "4", "n?[31m??"] in table and len(table) == 6
        cut = hoist(system.admin, "groups", "--limit=3")
        assert "there are more" in cut
        assert [row[2] for row in rows(cut, "TYPE")] == ["all", "n?[31m??", "own0"]


def test_names_with_nul_are_not_cut():
    with System("a\0b", "a\0c") as system:
        for i in range(4):
            system.connect(i % 2, user="u\0" + "12"[i // 2], groups=["g\0x", f"g\0{i}", "g"])
        found = {row["name"]: row["members"]
                 for row in document(system.admin, "groups")["groups"]}
        assert found == {"g": 4, "g\0x": 4, "g\0" "0": 1, "g\0" "1": 1, "g\0" "2": 1,
                         "g\0" "3": 1}
        assert ["group", "4", "g?x"] in rows(hoist(system.admin, "groups"), "TYPE")
        assert document(system.admin, "connections", "list", "--user=u")["connections"] == []
        table = rows(hoist(system.admin, "connections", "list"), "ID")
        assert sorted(row[1] for row in table) == ["u?1", "u?1", "u?2", "u?2"]
        told = {row["route"] for row in document(system.admin, "routes")["routes"]}
        assert {"a\0b", "a\0c"} <= told


def test_connections_are_listed_in_pages():
    with Hoist("--admin=0") as alone:
        clients = [Client(alone.address).opened() for _ in range(450)]
        admin = admin_of(alone)
        told = document(admin, "connections", "list")
        assert len({row["id"] for row in told["connections"]}) == 450 and not told["more"]
        clients[7].send('{"action":"nobody"}')
        assert clients[7].recv()[0] == 1
        busy = [row for row in document(admin, "connections", "list")["connections"]
                if row["messages_in"] > 0]
        assert [(row["messages_in"], row["messages_out"]) for row in busy] == [(1, 1)]
        for limit in (1, 199, 200, 201, 449):
            told = hoist(admin, "connections", "list", "--json", f"--limit={limit}")
            line, _, told = told.partition("\n")
            assert "there are more" in line
            assert len(json.loads(told)["connections"]) == limit, limit
        for client in clients[::2]:
            client.sock.close()
        until(lambda: len(document(admin, "connections", "list")["connections"]) == 225,
              "their end")


def test_connections_of_a_user_and_of_what_brokers_know():
    with System() as system:
        for i in range(4):
            system.connect(i % 2, user=f"u{i % 3}", tenant="t")
        told = document(system.admin, "connections", "list", "--user=u0")["connections"]
        assert [(row["user"], row["tenant"], row["ip"]) for row in told] == \
            [("u0", "t", "127.0.0.1")] * 2
        assert document(system.admin, "connections", "list", "--tenant", "x") \
            ["connections"] == []
        brokers = ",".join(map(admin_of, system.brokers))
        told = document(brokers, "connections", "list")["connections"]
        assert sorted(row["user"] for row in told) == ["u0", "u0", "u1", "u2"]
        table = rows(hoist(system.admin, "connections", "list"), "ID")
        assert len(table) == 4 and all(len(row[0]) == 16 for row in table)


# --- top ---------------------------------------------------------------------

def test_top_shows_what_happens_between_two_looks():
    with System() as system:
        client = system.connect(0, user="busy")
        system.connect(1, user="idle")
        with subprocess.Popen([HOIST, "top", "--json", "--admin", system.admin,
                               "--interval=1000"], stdout=subprocess.PIPE) as top:
            while top.poll() is None:
                system.say(client, "echo")
            told = json.loads(top.stdout.read())
        assert top.returncode == 0 and told["well"] and told["connections"] == 2
        assert told["a_second"]["messages_in"] > 0 and told["seconds"] >= 1
        slowest = told["routes"][0]
        assert slowest["route"] == "echo" and slowest["requests_a_second"] > 0
        assert 0 < slowest["handler_p50_us"] <= slowest["handler_p99_us"]
        assert [row["user"] for row in told["busiest"]] == ["busy"]
        assert told["busiest"][0]["a_second"] > 0
        page = hoist(system.admin, "top", "--once", "--interval=100")
        assert " Well: 2 gateways, 2 brokers, 2 workers, 2 connections.\n" in page
        assert "SLOWEST ROUTES" in page and "BUSIEST CONNECTIONS" in page


def test_top_is_lines_where_there_is_no_terminal():
    with Hoist("--admin=0") as alone:
        with subprocess.Popen([HOIST, "top", "--interval=100", "--admin", admin_of(alone)],
                              stdout=subprocess.PIPE, text=True) as top:
            head, *lines = [top.stdout.readline() for _ in range(4)]
            top.terminate()
        assert head.split()[:3] == ["TIME", "CONNECTIONS", "IN/S"]
        for line in lines:
            assert re.fullmatch(r"\d\d:\d\d:\d\d +0 +0 +0 +0 +0 +0 +0 µs +0 µs\n", line), line


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, *words, rows_=30, columns=100):
        self.seen = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execv(HOIST, [HOIST, *words])
        self.resize(rows_, columns)

    def resize(self, rows_, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows_, columns, 0, 0))

    def read(self):
        with contextlib.suppress(OSError):  # EIO: it has ended
            data = os.read(self.fd, 65536)
            self.seen += data
            return data
        return b""

    def until_shown(self, what):
        end = time.monotonic() + WAIT_S
        while what not in self.seen:
            assert time.monotonic() < end and self.read(), (what, self.seen)

    def write(self, data):
        os.write(self.fd, data)

    def modes(self):
        return termios.tcgetattr(self.fd)[3] & (termios.ICANON | termios.ECHO)

    def wait(self):
        while self.read():
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


ENTER, LEAVE = b"\x1b[?1049h\x1b[?25l", b"\x1b[?25h\x1b[?1049l"


def assert_left_alone(terminal):
    assert terminal.seen.startswith(ENTER) and terminal.seen.count(ENTER) == 1
    assert terminal.seen.endswith(LEAVE) and terminal.seen.count(LEAVE) == 1


def test_top_takes_a_terminal_and_gives_it_back():
    with Hoist("--admin=0") as alone:
        for end in (b"q", signal.SIGTERM, signal.SIGINT, signal.SIGHUP, b"\x03"):
            top = Terminal("top", "--admin", admin_of(alone), "--interval=100")
            modes = termios.ICANON | termios.ECHO
            top.until_shown(b"BUSIEST CONNECTIONS")
            assert top.modes() == 0
            top.until_shown(b"Well, with less than there should be: 1 gateway")
            if isinstance(end, bytes):
                top.write(end)
            else:
                os.kill(top.pid, end)
            top.until_shown(LEAVE)
            assert top.modes() == modes, end
            assert top.wait() == 0, end
            assert_left_alone(top)


def test_top_fits_into_its_terminal():
    with Hoist("--admin=0") as alone:
        worker = Worker(alone.workers, *(f"route{i:02}" for i in range(50)))
        top = Terminal("top", "--admin", admin_of(alone), "--interval=3600000",
                       rows_=10, columns=40)
        top.until_shown(b"\x1b[J")
        pages = top.seen
        page = pages[pages.rindex(b"\x1b[H"):pages.rindex(b"\x1b[J")]
        lines = page.decode().removeprefix("\x1b[H").split("\x1b[K\r\n")
        assert len(lines) <= 10 and max(map(len, lines)) <= 40, lines
        top.seen = b""
        top.resize(20, 60)
        top.until_shown(b"\x1b[J")
        assert top.seen.count(b"\x1b[K\r\n") == 19
        top.write(b"q")
        assert top.wait() == 0
        worker.die()


def test_top_of_nobody_takes_no_terminal():
    top = Terminal("top", "--admin", "127.0.0.1:1")
    assert top.wait() == 3
    assert ENTER not in top.seen and b"127.0.0.1:1" in top.seen


# --- get, close, send --------------------------------------------------------

class Manager:
    """The management API as it is promised, with one connection."""

    ID = "AAAAAAAAAAAAAAAA"

    def __init__(self, answers=None):
        self.heard = []
        self.answers = answers or {}
        manager = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def handle_one(self):
                length = int(self.headers.get("Content-Length", 0))
                manager.heard.append((self.command, self.path, self.rfile.read(length),
                                      self.headers.get("Content-Type"),
                                      self.headers.get("Origin")))
                status, body = manager.answer(self.command, self.path)
                if status is None:
                    return  # it hangs up
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_DELETE = handle_one

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = "127.0.0.1:%d" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, method, path):
        known = path.split("?")[0] == "/@connections/" + self.ID
        counts = json.dumps({"delivered": 2, "gone": 1, "refused": 0}).encode()
        usual = {"GET": (200, json.dumps({
            "connectedAt": "2026-01-31T12:00:00Z", "lastActiveAt": NASTY,
            "user": "u\0" + NASTY, "groups": ["lobby", "a, b"],
            "identity": {"sourceIp": "127.0.0.1", "userAgent": "test"}}).encode()),
            "POST": (200, b""), "DELETE": (204, b"")}
        if path in self.answers:
            return self.answers[path]
        if path.startswith("/@connections/"):
            return usual[method] if known else (410, b'{"message":"gone"}')
        return (200, counts)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def test_get_shows_one_connection():
    with Manager() as manager:
        text = hoist(manager.address, "connections", "get", manager.ID)
        assert "connected     2026-01-31T12:00:00Z\n" in text
        assert "last active   n?[31m??\n" in text
        assert "user          u?n?[31m??\n" in text and "tenant        -\n" in text
        assert "groups        lobby\n              a, b\n" in text
        assert document(manager.address, "connections", "get", manager.ID) \
            ["identity"]["userAgent"] == "test"
        assert "is gone" in hoist(manager.address, "connections", "get", "B" * 16, status=1)


def test_get_says_who_it_is():
    with System() as system:
        system.connect(0, user="u", tenant="t", groups=["lobby", NASTY])
        system.connect(1)
        told = document(system.admin, "connections", "list")["connections"]
        for row, user, tenant, groups in zip(
                sorted(told, key=lambda row: row.get("user", "~")), ("u", None), ("t", None),
                (["lobby", NASTY], [])):
            for where in map(admin_of, system.processes):
                got = document(where, "connections", "get", row["id"])
                assert (got.get("user"), got.get("tenant")) == (user, tenant)
                assert sorted(got["groups"]) == groups


def test_close_says_code_and_reason():
    with Manager() as manager:
        assert hoist(manager.address, "connections", "close", manager.ID) == "closed\n"
        hoist(manager.address, "connections", "close", manager.ID, "--code=4001",
              "--reason", "so & so/é")
        assert [(method, path) for method, path, *_ in manager.heard] == [
            ("DELETE", f"/@connections/{manager.ID}?code=1000"),
            ("DELETE", f"/@connections/{manager.ID}?code=4001&reason=so%20%26%20so%2F%C3%A9")]
        assert all(origin is None for *_, origin in manager.heard)
        hoist(manager.address, "connections", "close", "../../x", status=1)
        assert manager.heard[-1][1] == "/@connections/..%2F..%2Fx?code=1000"
        for wrong in (["--code=999"], ["--code=x"], ["--reason", "x" * 124]):
            hoist(manager.address, "connections", "close", manager.ID, *wrong, status=2)


def test_send_goes_to_whom_it_is_for():
    with Manager() as manager:
        assert hoist(manager.address, "send", manager.ID, "hello") == "1 got it\n"
        assert hoist(manager.address, "send", "--user", "a/b ?", "hello") == \
            "2 got it, 1 were gone, 0 refused it\n"
        hoist(manager.address, "send", "--tenant=t", "--binary", "-", stdin=b"\0\xff" * 40000)
        hoist(manager.address, "send", "--group", "g", "", stdin=b"no")
        text = hoist(manager.address, "send", "--all", "--json", "--", "-x")
        assert json.loads(text)["delivered"] == 2
        text, binary = "text/plain; charset=utf-8", "application/octet-stream"
        assert manager.heard == [
            ("POST", f"/@connections/{manager.ID}", b"hello", text, None),
            ("POST", "/@users/a%2Fb%20%3F", b"hello", text, None),
            ("POST", "/@tenants/t", b"\0\xff" * 40000, binary, None),
            ("POST", "/@groups/g", b"", text, None),
            ("POST", "/@all", b"-x", text, None)]
        assert "is gone" in hoist(manager.address, "send", "B" * 16, "x", status=1)
        for wrong in (["x"], ["--all", "ID", "x"], ["--user=a", "--group=b", "x"], []):
            hoist(manager.address, "send", *wrong, status=2)


def test_nobody_got_it_is_a_status():
    none = json.dumps({"delivered": 0, "gone": 3, "refused": 1}).encode()
    with Manager({"/@users/u": (200, none), "/@groups/g": (429, b"too many\n")}) as manager:
        assert hoist(manager.address, "send", "--user=u", "x", status=1) == \
            "0 got it, 3 were gone, 1 refused it\n"
        assert "HTTP 429: too many" in hoist(manager.address, "send", "--group=g", "x", status=1)


def test_a_refusal_is_told_in_its_own_words():
    with Hoist("--admin=0") as alone:
        where = admin_of(alone)
        assert hoist(where, "connections", "get", "foo", status=1) == \
            f"hoist: {where}: Invalid connectionId: foo\n"


def test_the_first_of_very_many_groups_are_told_whole():
    """More than are held at once, the first of them last."""
    count = 100100
    told = json.dumps({"gateway": {"groups": [
        {"type": "group", "name": f"g{i:06}", "members": 3} for i in reversed(range(count))]}})
    answers = {"/groups?type=group": (200, told.encode())}
    with Manager(answers) as one, Manager(answers) as other:
        cut = hoist(f"{one.address},{other.address}", "groups", "--limit=2")
        assert "there are more" in cut
        assert rows(cut, "TYPE") == [["group", "6", f"g{i:06}"] for i in range(2)]


def test_processes_may_be_asked_by_name():
    with Hoist("--admin=0") as alone:
        where = "hoist.localhost:" + admin_of(alone).rsplit(":", 1)[1]
        assert hoist(where, "status", "--interval=0").startswith("Well")
        assert document(where, "connections", "list")["connections"] == []
        Client(alone.address).opened()
        here = document(where, "connections", "list")["connections"][0]["id"]
        gone = here[:-1] + ("B" if here[-1] == "A" else "A")
        assert "is gone" in hoist(where, "connections", "close", gone, status=1)


def test_the_next_is_asked_where_one_does_not_know():
    with Manager({"/@all": (404, b"no\n")}) as first, Manager() as second:
        both = f"{first.address},127.0.0.1:1,{second.address}"
        first.ID = "C" * 16
        hoist(both, "connections", "get", second.ID)
        hoist(both, "send", "--all", "x")
        assert len(first.heard) == len(second.heard) == 2
        hoist(both, "send", "--user=u", "x")  # the first has done it
        assert (len(first.heard), len(second.heard)) == (3, 2)
        hoist(both, "connections", "close", "D" * 16, status=1)
        hoist("127.0.0.1:1", "send", "--all", "x", status=3)


def test_what_may_have_been_sent_is_not_sent_again():
    for doubt in (504, b'{"message":"late"}'), (None, b""):
        with Manager({"/@all": doubt}) as first, Manager() as second:
            text = hoist(f"{first.address},{second.address}", "send", "--all", "x", status=3)
            assert text.startswith(f"hoist: {first.address}: ")
            assert (len(first.heard), len(second.heard)) == (1, 0)


# --- what answers and is no hoist --------------------------------------------

def test_answers_of_others_do_no_harm():
    page = b"\x1b]0;evil\x07<html>" * 3
    for body in (b"", page, b"[]", b'{"gateway":[]}', b'{"gateway":{"connections":5}}',
                 b'{"broker":{"routes":[{"route":5,"wait":{"buckets":[[-1,-1],[1e9]]}}]}}',
                 b"[" * 100000, b"x" * 9000000):
        answers = {path: (200, body) for path in
                   ("/status", "/connections", "/groups?type=group", "/routes?buckets=1")}
        with Manager(answers) as manager:
            for words in (["status", "--interval=0"], ["connections", "list"], ["groups"],
                          ["routes"]):
                ran = subprocess.run([HOIST, *words, "--admin", manager.address],
                                     timeout=WAIT_S, stdout=subprocess.PIPE,
                                     stderr=subprocess.STDOUT)
                assert ran.returncode in (0, 1, 3), (words, body[:50], ran)
                assert is_harmless(ran.stdout.decode()), (words, ran.stdout)


def test_pages_without_end_end():
    same = b'{"gateway":{"connections":[{"id":"x"}],"cursor":1}}'
    with Manager({"/connections": (200, same), "/connections?cursor=1": (200, same)}) as manager:
        text = hoist(manager.address, "connections", "list", status=3)
        assert text.startswith(f"hoist: {manager.address}: its pages do not go on\n")
        assert len(manager.heard) == 2


def test_what_a_verb_lacks_is_named():
    for words, complaint in [
            (["send"], "send needs TEXT; try hoist send --help"),
            (["connections"], "connections needs a verb; try hoist connections --help"),
            (["connections", "get"], "connections get needs ID; try hoist connections get --help"),
            (["connections", "close", "x", "--code=5"],
             "--code is 1000, 1001, 1003, 1007 to 1013, or 3000 to 4999, not '5'"),
            (["send", "hello"], "say to whom, and what: ID TEXT, or TEXT and one of --user, "
             "--tenant, --group, --all; try hoist send --help"),
            (["send", "--all", "--user=ada", "hello"],
             "say to whom: one of ID, --user, --tenant, --group, --all; "
             "try hoist send --help")]:
        assert hoist("", *words, status=2) == f"hoist: {complaint}\n"


def test_what_can_be_asked_has_bounds():
    with Hoist("--admin=0") as alone:
        def status(path):
            connection = http.client.HTTPConnection(admin_of(alone), timeout=WAIT_S)
            with contextlib.closing(connection):
                connection.request("GET", path)
                return connection.getresponse().status
        for path in ("/connections?limit=201", "/connections?limit=-1", "/groups?cursor=x",
                     "/connections?busiest=33", "/connections?cursor=99999999999",
                     "/routes?cursor=9999", "/connections?of=broker&limit=201"):
            assert status(path) == 400, path
        for path in ("/connections?limit=0", "/groups?cursor=4294967295", "/routes?cursor=321",
                     "/connections?busiest=0", "/connections?x=y&&=",
                     "/connections?of=broker&cursor=9223372036854775807",
                     "/status?" + "x" * 7000):
            assert status(path) == 200, path
        assert status("/status/") == 404


run(sys.modules[__name__])
