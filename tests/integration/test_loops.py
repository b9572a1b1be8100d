# SPDX-License-Identifier: MIT
"""A gateway of several loops: to its operator one process, with one port, one
admin listener and one set of limits, whichever loop a client has come to."""
import collections
import http.client
import json
import signal
import ssl
import subprocess
import sys
import tempfile

from harness import *
from test_tls import Files, TlsClient, hang_up, served, text_of

LOOPS = 2
CROWD = 40  # that all are at one loop does not happen: 2 of 2 ** 40


class Looped(Hoist):
    """With workers' routes served by the test, and an admin listener."""

    def __init__(self, *flags, loops=LOOPS, **options):
        super().__init__(f"--loops={loops}", "--admin=127.0.0.1:0", *flags, **options)
        self.admin = self.find(r"ADMIN-LISTENING address=(\S+)")
        until(lambda: self.log().count("GATEWAY-BROKER-FOUND") == loops, "all loops' links")

    def ask(self, path, status=200):
        return ask(self.admin, "GET", path, status=status)

    def status(self):
        return json.loads(self.ask("/status"))["gateway"]

    def loops(self):
        return self.status()["loops"]

    def metric(self, name):
        for line in self.ask("/metrics").splitlines():
            if line.startswith(name + " "):
                return int(line.split()[1])
        raise AssertionError("no metric " + name)

    def verb(self, *words):
        done = subprocess.run([BUILD + "/cli/hoist", *words],
                              env={**os.environ, "HOIST_ADMIN": self.admin},
                              capture_output=True, text=True, timeout=WAIT_S, check=False)
        return done.stdout


def ask(address, method, path, body=None, headers=None, status=200):
    connection = http.client.HTTPConnection(address, timeout=WAIT_S)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        text = answer.read().decode()
        assert answer.status == status, (answer.status, text)
        return text
    finally:
        connection.close()


def enter(hoist, worker, kind=Client, **options):
    """One that $connect has let in, with its id."""
    client = kind(hoist.address)
    request = worker.get(REQUEST)
    assert request[2] == CONNECT, request
    worker.reply(request, 200, None, options)
    client.opened()
    assert client.status == 101
    client.conn = request[3]
    return client


def crowd(hoist, worker, kind=Client, **options):
    """Clients of which each loop has some, by loop."""
    clients = [enter(hoist, worker, kind, **options) for _ in range(CROWD)]
    by_loop = collections.defaultdict(list)
    for client in clients:
        by_loop[client.conn[:4]].append(client)
    assert len(by_loop) == LOOPS, by_loop.keys()
    return clients, list(by_loop.values())


def a_worker(hoist, *routes):
    return Worker(hoist.workers, "$connect", "$disconnect", "echo", *routes, window=1000,
                  options={"liveness": 120000})


# --- clients -------------------------------------------------------------------

def test_clients_are_spread_and_each_gets_its_answers():
    with Looped() as hoist:
        worker = a_worker(hoist)
        clients, _ = crowd(hoist, worker)
        for i, client in enumerate(clients):
            client.send(json.dumps({"action": "echo", "i": i}))
        for _ in clients:
            request = worker.get(REQUEST)
            worker.reply(request, body=request[5])
        for i, client in enumerate(clients):
            assert json.loads(client.recv()[1])["i"] == i
        hoist.soon("GATEWAY", connections=CROWD, messages_in=CROWD, messages_out=CROWD)


def test_a_push_reaches_clients_of_any_loop():
    with Looped() as hoist:
        worker = a_worker(hoist)
        clients, (ones, others) = crowd(hoist, worker, user="u")
        ones[0].send('{"action": "echo"}')
        request = worker.get(REQUEST)
        worker.send([PUSH, ["connection", others[0].conn], "from there", {"ack": 1}])
        worker.reply(request, body="done")
        assert others[0].recv() == (1, b"from there")
        assert ones[0].recv() == (1, b"done")
        assert worker.get(PUSHED)[2:4] == [1, 0]
        worker.send([PUSH, ["user", "u"], "all", {"ack": 2}])
        assert worker.get(PUSHED)[2:4] == [CROWD, 0]
        for client in clients:
            assert client.recv() == (1, b"all")


def test_tls_is_spoken_by_all_loops_and_renewed_in_all():
    files = Files()

    class Trusting(TlsClient):
        def context(self):
            return ssl.create_default_context(cafile=files.cert)
    with Looped(*files.flags) as hoist:
        worker = a_worker(hoist)
        clients, _ = crowd(hoist, worker, kind=Trusting)
        files.renew()
        hang_up(hoist, "GATEWAY-TLS-READ", LOOPS)
        assert sorted(re.findall(r"GATEWAY-TLS-READ .* loop=(\d)\n", hoist.log())) == ["1", "2"]
        for _ in range(CROWD):
            assert served(hoist) == text_of(files.cert)
        for client in clients:
            client.send('{"action": "echo"}')
            worker.reply(worker.get(REQUEST), body="still here")
            assert client.recv() == (1, b"still here")


def test_all_loops_serve_files():
    with tempfile.TemporaryDirectory() as folder:
        with open(folder + "/page.txt", "w", encoding="ascii") as page:
            page.write("hello")
        with Looped("--static=" + folder) as hoist:
            for _ in range(CROWD):
                assert ask(hoist.address, "GET", "/page.txt") == "hello"


def test_a_proxy_says_whose_client_it_is_to_any_loop():
    class Proxied(Client):
        def connect(self, host, port):
            sock = super().connect(host, port)
            sock.sendall(b"PROXY TCP4 192.0.2.7 192.0.2.1 4000 80\r\n")
            return sock
    with Looped("--proxy-protocol", "--trusted-proxies=127.0.0.0/8") as hoist:
        worker = a_worker(hoist)
        crowd(hoist, worker, kind=Proxied)
        rows = json.loads(hoist.verb("connections", "list", "--json"))["connections"]
        assert [row["ip"] for row in rows] == ["192.0.2.7"] * CROWD


# --- the process ---------------------------------------------------------------

def test_its_operator_sees_one_gateway():
    with Looped("--name=g") as hoist:
        worker = a_worker(hoist)
        clients, _ = crowd(hoist, worker)
        assert hoist.metric("hoist_gateway_connections") == CROWD
        status = hoist.status()
        assert status["counters"]["connections"] == CROWD and status["ready"]
        assert [loop["loop"] for loop in status["loops"]] == [1, 2]
        assert sum(loop["connections"] for loop in status["loops"]) == CROWD
        assert all(loop["connections"] > 0 for loop in status["loops"])
        assert [link["loop"] for link in status["brokers"]] == [1, 2]
        text = hoist.verb("status")
        assert f"1 gateway, 1 broker, 1 worker, {CROWD} connections" in text, text
        assert re.search(r"\n  loop 2 +ready ", text), text
        rows = json.loads(hoist.verb("connections", "list", "--json"))["connections"]
        assert {row["id"] for row in rows} == {client.conn for client in clients}
        assert hoist.ask("/healthz") == "ok\n"
        assert hoist.ask("/readyz").endswith("ready\n")


def test_the_busiest_of_all_loops_are_the_busiest():
    with Looped() as hoist:
        worker = a_worker(hoist)
        _, (ones, others) = crowd(hoist, worker)
        hoist.ask("/connections?busiest=0")  # the walk before
        busy = [ones[0], others[0], ones[1]]
        for times, client in zip((30, 20, 10), busy):
            for _ in range(times):
                worker.send([PUSH, ["connection", client.conn], "x"])

        def found():
            rows = json.loads(hoist.ask("/connections?busiest=3"))["gateway"]["connections"]
            return [row["id"] for row in rows] == [client.conn for client in busy]
        until(found, "the three in their order")


def test_the_management_api_answers_at_any_loop():
    with tempfile.NamedTemporaryFile("w", encoding="ascii") as tokens:
        tokens.write("0123456789abcdef0123456789abcdef\n")
        tokens.flush()
        with Looped("--manage-tokens=" + tokens.name) as hoist:
            worker = a_worker(hoist)
            clients, _ = crowd(hoist, worker)
            head = {"Authorization": "Bearer 0123456789abcdef0123456789abcdef"}
            for client in clients:
                until(lambda: is_posted(hoist, client, head), "an answer of 200")
                assert client.recv() == (1, b"hello")
            assert hoist.stats("GATEWAY")["managed"] >= CROWD
            ask(hoist.admin, "DELETE", "/@connections/" + clients[0].conn, status=204)
            assert clients[0].close_code() == 1000


def is_posted(hoist, client, head):
    """False: the manager has no broker yet."""
    try:
        ask(hoist.address, "POST", "/@connections/" + client.conn, "hello", head)
    except AssertionError as error:
        assert error.args[0][0] == 503, error
        return False
    return True


def test_all_are_drained_by_one_signal():
    with Looped("--drain-time=60000") as hoist:
        worker = a_worker(hoist)
        clients, _ = crowd(hoist, worker)
        hoist.process.send_signal(signal.SIGTERM)
        for _ in clients:
            request = worker.get(REQUEST)
            assert request[2] == DISCONNECT
            worker.reply(request)
        for client in clients:
            assert client.close_code() == 1012
            client.sock.close()
        assert hoist.process.wait(WAIT_S) == 0
        said = re.findall(r"GATEWAY-STATS .*\n", hoist.log())
        assert len(said) == 1 and f" disconnects={CROWD} " in said[0], said


def test_a_loop_that_drains_still_counts_when_others_have_ended():
    with Looped("--drain-time=60000") as hoist:
        worker = a_worker(hoist)
        client = enter(hoist, worker)
        hoist.process.send_signal(signal.SIGTERM)
        request = worker.get(REQUEST)
        until(lambda: hoist.log().count("PEER-LOST role=gateway") == LOOPS - 1, "the idle loop's end")
        assert hoist.ask("/readyz", status=503).startswith("hoist: stops\n")
        assert hoist.metric("hoist_gateway_connects_total") == 1
        assert [loop["draining"] for loop in hoist.loops()] == [True, True]
        worker.reply(request)
        client.sock.close()
        assert hoist.process.wait(WAIT_S) == 0


# --- limits --------------------------------------------------------------------

def test_a_limit_of_connections_is_the_processes():
    with Looped("--max-connections=7") as hoist:
        clients = [Client(hoist.address).opened() for _ in range(2 * CROWD)]
        assert collections.Counter(client.status for client in clients) == \
            {101: 7, 503: 2 * CROWD - 7}
        assert sorted(loop["connections"] for loop in hoist.loops()) == [3, 4]
        hoist.soon("GATEWAY", connections_refused=2 * CROWD - 7)


def test_settings_that_are_read_again_count_in_all_loops():
    with tempfile.NamedTemporaryFile("w+", encoding="ascii") as config:
        config.write("max-connections = 100\n")
        config.flush()
        with Looped("--config=" + config.name) as hoist:
            for _ in range(10):
                assert Client(hoist.address).opened().status == 101
            config.seek(0)
            config.write("max-connections = 2  \norigins = https://example.org\n")
            config.flush()
            hoist.process.send_signal(signal.SIGHUP)
            hoist.find(r"SETTINGS-READ changed=(\S+)")
            until(lambda: Client(hoist.address).opened().status == 403, "the list of origins")
            origin = "Origin: https://example.org\r\n"
            assert {Client(hoist.address, headers=origin).opened().status
                    for _ in range(CROWD)} == {503}


def test_a_limit_of_an_address_is_each_loops():
    with Looped("--address-connections=3") as hoist:
        def are_full():
            client = Client(hoist.address).opened()
            if client.status == 429:
                client.sock.close()
            return [loop["connections"] for loop in hoist.loops()] == [3, 3]
        until(are_full, "three at each loop")
        assert Client(hoist.address).opened().status == 429


def test_limits_below_the_number_of_loops_are_wrong_settings():
    for flags, said in (
            (["--loops=4", "--max-connections=3"],
             "--max-connections: '3' is wrong; give 0, or at least the --loops of 4"),
            (["--loops=2", "--handshake-rate=1"], "--handshake-rate: '1' is wrong"),
            (["--loops=0"], "a whole number of threads from 1 to 64"),
            (["--loops=65"], "a whole number of threads from 1 to 64")):
        done = subprocess.run([BUILD + "/cli/hoist", "gateway", *flags],
                              capture_output=True, text=True, timeout=WAIT_S, check=False)
        assert done.returncode == 2 and said in done.stderr, done


def test_a_port_of_several_loops_is_no_other_processes():
    with Looped() as hoist:
        for loops in (1, 2):
            done = subprocess.run(
                [BUILD + "/cli/hoist", "serve", f"--loops={loops}", "--workers=tcp://127.0.0.1:*",
                 "--listen=" + hoist.address], capture_output=True, text=True,
                timeout=WAIT_S, check=False)
            assert done.returncode == 1 and "Address already in use" in done.stderr, done
        assert Client(hoist.address).opened().status == 101


def wanted(loops):
    """How many descriptors it would like to have, where there are few."""
    with Looped("--max-connections=1000", "--max-handshakes=100", loops=loops,
                inside=("prlimit", "--nofile=2000:2000")) as hoist:
        return int(hoist.find(r"DESCRIPTORS-FEW .*wanted=(\d+)"))


def test_a_loop_more_asks_for_descriptors_of_its_own():
    assert wanted(3) - wanted(1) == 2 * (4096 + 320)


def test_many_loops_are_as_good_as_few():
    with Looped(loops=64) as hoist:
        worker = a_worker(hoist)
        clients = [enter(hoist, worker) for _ in range(20)]
        for client in clients:
            client.send('{"action": "echo"}')
            worker.reply(worker.get(REQUEST), body="here")
            assert client.recv() == (1, b"here")
        assert hoist.metric("hoist_gateway_connections") == 20


if __name__ == "__main__":
    run(sys.modules[__name__])
