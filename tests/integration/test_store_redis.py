# SPDX-License-Identifier: MIT
"""The store on real Redis servers of every make: tests/unit/store_conformance.c
on each, and what is to be seen in Redis itself."""
import subprocess
import sys
import tempfile
import threading

from harness import *
from redis_server import *

# What a user of Redis must be allowed, as docs/stores.md says.
RIGHTS = ["~hoist:*", "+hset", "+hget", "+hdel", "+hmget", "+hlen", "+hgetall",
          "+hscan", "+zadd", "+zrem", "+zrange", "+zrangebylex", "+zscore", "+pttl",
          "+pexpire", "+eval", "+evalsha"]
OWNER, CROWD = "hoist:{o:Wlpa}", "hoist:{u:crowd}"  # of the conformance test


def conformance(url):
    return subprocess.Popen([BUILD + "/tests/unit/store_conformance", url],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(process, url):
    output = process.communicate(timeout=120)[0]
    assert process.returncode == 0, output
    assert "[  PASSED  ]" in output, output
    assert "sekret" not in output, url


def conforms(url):
    finish(conformance(url), url)


def test_a_server():
    with Server() as server:
        conforms(server.url())


def test_a_server_with_a_password():
    with Server(password="sekret") as server:
        conforms(server.url())


def test_a_user_who_may_do_only_what_the_store_needs():
    with Server() as server:
        server.ask("ACL", "SETUSER", "hoist", "on", ">sek:ret@/", *RIGHTS)
        server.ask("ACL", "SETUSER", "default", "off")
        conforms(f"redis://hoist:sek%3Aret%40%2F@127.0.0.1:{server.port}")


def test_a_password_in_a_file():
    with Server(password="sekret") as server, tempfile.NamedTemporaryFile("w") as file:
        file.write("sekret\n")
        file.flush()
        conforms(f"redis://127.0.0.1:{server.port}?password_file={file.name}")


def test_a_database_and_a_prefix_keep_to_themselves():
    with Server() as server:
        url = server.url(path="/7", options="?prefix=other.app")
        with Driver(url) as driver:
            assert driver.rc("save", 1, 1, "ann", "acme") == "0"
            connection = Connection(server.port)
            assert connection.ask("KEYS", "*") == []
            connection.ask("SELECT", 7)
            keys = {key.decode() for key in connection.ask("KEYS", "*")}
            connection.close()
            assert keys == {"other.app:{o:AAAB}", "other.app:{u:ann}",
                            "other.app:{t:acme}", "other.app:owners"}, keys
            assert driver.rc("remove", 1, 1, "ann", "acme") == "0"
        conforms(url)


def test_tls():
    with certificates() as folder:
        tls = {"tls-cert-file": folder + "/cert.pem", "tls-key-file": folder + "/key.pem",
               "tls-ca-cert-file": folder + "/ca.pem", "tls-auth-clients": "yes"}
        with Server(tls=tls, password="sekret") as server:
            ours = f"ca={folder}/ca.pem&cert={folder}/cert.pem&key={folder}/key.pem"
            address = f"rediss://:sekret@127.0.0.1:{server.port}"
            conforms(f"{address}?{ours}")
            conforms(f"rediss://:sekret@localhost:{server.port}?{ours}")
            with Driver(address, 1000) as driver:  # a CA that nobody trusts
                assert driver.rc("count") == "ENOTCONN"
                assert "certificate" in driver.log(), driver.log()
            with Driver(f"rediss://:sekret@[::ffff:127.0.0.1]:{server.port}?{ours}",
                        1000) as driver:  # a name that it has not
                assert driver.rc("count") == "ENOTCONN"
                assert "mismatch" in driver.log(), driver.log()


# --- clusters -------------------------------------------------------------------------


class Rounds(threading.Thread):
    """The conformance test over and over, until told to stop."""

    PATIENCE_S = 100  # of a whole round, in a sanitizer's build beside others

    def __init__(self, url):
        super().__init__()
        self.url, self.done, self.is_over, self.failure = url, 0, False, None
        self.changed = threading.Condition()

    def run(self):
        while not self.is_over:
            try:
                conforms(self.url)
            except AssertionError as failure:
                self.failure = failure
            with self.changed:
                self.done += 1
                self.changed.notify()
            if self.failure:
                return

    def one_more(self):
        """Wait until one that begins now has ended."""
        with self.changed:
            end = self.done + 2
            assert self.changed.wait_for(lambda: self.failure or self.done >= end,
                                         self.PATIENCE_S), "no whole round"

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, error, trace):
        self.is_over = True
        self.join()
        if self.failure:
            raise self.failure


def test_a_cluster():
    with Cluster() as cluster:
        conforms(cluster.url())
        conforms(cluster.url("?cluster=yes"))
        sizes = [node.ask("DBSIZE") for node in cluster.nodes]
        assert sum(sizes) <= 1, sizes  # the owners are remembered


def test_a_cluster_whose_slots_move_meanwhile():
    with Cluster() as cluster, Rounds(cluster.url()) as rounds:
        for key in (OWNER, CROWD, "hoist:owners", "hoist:leases", OWNER, CROWD):
            slot = cluster.slot(key)
            source = cluster.owner(slot)
            target = cluster.nodes[(cluster.nodes.index(source) + 1) % 3]
            cluster.begin_move(slot, source, target)
            rounds.one_more()
            cluster.end_move(slot, source, target)
            rounds.one_more()
        assert cluster.errors("MOVED") > 0 and cluster.errors("ASK") > 0


def test_a_key_that_has_moved_already_is_asked_for_where_it_is():
    with Cluster() as cluster, Driver(cluster.url()) as driver:
        for slot in range(100):
            assert driver.rc("save", 1, slot, "ann", "-") == "0"
        for key in ("hoist:{o:AAAB}", "hoist:{u:ann}"):
            slot = cluster.slot(key)
            source = cluster.owner(slot)
            target = next(node for node in cluster.nodes if node is not source)
            cluster.begin_move(slot, source, target)
            source.ask("MIGRATE", "127.0.0.1", target.port, key, 0, 5000)
        assert len(driver.ids("user", "ann", 1000, "-")) == 100
        assert driver.rc("get", 1, 7) == "0"
        for slot in range(100):
            assert driver.rc("remove", 1, slot, "ann", "-") == "0"
        assert driver.count() == 0
        assert cluster.errors("ASK") > 0


def test_a_server_that_becomes_a_cluster_node_is_taken_for_one():
    """cluster=no is no promise of the server's."""
    with Cluster() as cluster, Driver(cluster.url("?cluster=no")) as driver:
        for loop in range(20):
            assert driver.rc("save", loop, 1, f"user{loop}", "-") == "0"
        assert driver.count() == 20


def test_a_node_that_ends_takes_its_slots_along_and_brings_them_back():
    with Cluster() as cluster, Driver(cluster.url(), 1000) as driver:
        loops = range(60)
        for loop in loops:
            assert driver.rc("save", loop, 1, "-", "-") == "0"
        cluster.nodes[1].kill()
        codes = {driver.rc("save", loop, 2, "-", "-") for loop in loops}
        assert codes <= {"0", "ENOTCONN", "ETIMEDOUT", "EBUSY"} and len(codes) > 1, codes
        cluster.nodes[1].start()
        until(lambda: all(b"cluster_state:ok" in node.ask("CLUSTER", "INFO")
                          for node in cluster.nodes), "the cluster")
        driver.heals()
        assert {driver.rc("save", loop, 3, "-", "-") for loop in loops} == {"0"}
        assert driver.stats()["store_up"] == 1


# --- who is the master ----------------------------------------------------------------


def sentinel(master):
    return Server(sentinel=True, config=f"""
sentinel monitor mymaster 127.0.0.1 {master.port} 1
sentinel down-after-milliseconds mymaster 500
sentinel failover-timeout mymaster 3000
""")


def replica_of(master):
    replica = Server("--replicaof", "127.0.0.1", str(master.port),
                     "--repl-diskless-sync-delay", "0")
    until(lambda: replica.info("replication").get("master_link_status") == "up",
          "a replica")
    return replica


def is_master(server):
    try:
        return server.info("replication")["role"] == "master"
    except (OSError, EOFError):
        return False  # whoever is promoted ends its connections


def succeeds(driver, *words):
    """Sooner or later; whoever is promoted may end connections more than once."""
    def tried():
        code = driver.rc(*words)
        assert code in ("0", "ENOTCONN", "ETIMEDOUT"), code
        return code == "0"
    return until(tried, " ".join(map(str, words)))


def test_sentinels_name_the_master_before_and_after_a_failover():
    with Server("--repl-diskless-sync-delay", "0") as master, \
            replica_of(master) as replica, sentinel(master) as watcher:
        url = f"redis://127.0.0.1:{watcher.port}?sentinel=mymaster"
        until(lambda: watcher.ask("SENTINEL", "REPLICAS", "mymaster"),
              "the sentinel to see the replica")
        conforms(url)
        with Driver(url, 2000) as driver:
            assert driver.rc("save", 1, 1, "ann", "-") == "0"
            until(lambda: replica.ask("HLEN", "hoist:{o:AAAB}") == 1, "the replica")
            master.kill()
            until(lambda: is_master(replica), "a failover")
            assert succeeds(driver, "get", 1, 1)
            assert succeeds(driver, "save", 1, 2, "ann", "-")
            assert len(driver.ids("user", "ann", 10, "-")) == 2


def test_of_a_list_of_nodes_the_master_is_found():
    with Server("--repl-diskless-sync-delay", "0") as master, \
            replica_of(master) as replica:
        url = f"redis://127.0.0.1:{replica.port},127.0.0.1:{master.port}?cluster=no"
        conforms(url)
        with Driver(url, 3000) as driver:
            assert driver.rc("save", 1, 1, "-", "-") == "0"
            until(lambda: replica.ask("HLEN", "hoist:{o:AAAB}") == 1, "the replica")
            replica.ask("REPLICAOF", "NO", "ONE")
            master.ask("REPLICAOF", "127.0.0.1", replica.port)
            driver.heals()
            until(lambda: driver.rc("save", 1, 2, "-", "-") == "0", "the new master")
            assert replica.ask("HLEN", "hoist:{o:AAAB}") == 2


def test_a_replica_alone_is_told_of_once_and_used_when_it_is_the_master():
    with Server("--repl-diskless-sync-delay", "0") as master, \
            replica_of(master) as replica, Driver(replica.url(), 500) as driver:
        for i in range(8):  # each fails after half a second, or at once
            assert driver.rc("save", 1, i, "-", "-") == "ENOTCONN"
        log = driver.log()
        assert log.count("STORE-DOWN") == 1 and "STORE-UP" not in log, log
        assert "it is a replica" in log
        replica.ask("REPLICAOF", "NO", "ONE")
        driver.heals()


# --- what is kept ---------------------------------------------------------------------


def test_every_key_ends_when_nobody_comes_back():
    with Server() as server, Driver(server.url()) as driver:
        assert driver.rc("save", 1, 1, "ann", "acme") == "0"
        assert driver.rc("keep", "b:one", "1") == "0"
        keys = server.ask("KEYS", "*")
        assert len(keys) == 5, keys
        for key in keys:
            assert 2 * 86400000 < server.ask("PTTL", key) <= 3 * 86400000, key


def test_an_id_without_a_row_is_taken_from_its_list():
    with Server() as server, Driver(server.url()) as driver:
        assert driver.rc("save", 1, 1, "ann", "-") == "0"
        assert driver.rc("save", 1, 2, "eve", "-") == "0"
        server.ask("ZADD", "hoist:{u:ann}", 0, "AAABAAAJAAEAAAAB", 0, "AAABAAACAAEAAAAB")
        assert driver.ids("user", "ann", 10, "-") == ["AAABAAABAAEAAAAB"]
        until(lambda: server.ask("ZCARD", "hoist:{u:ann}") == 1, "the others to go")
        assert driver.ids("user", "eve", 10, "-") == ["AAABAAACAAEAAAAB"]


def test_rows_that_are_long_over_are_removed_by_who_lists_them():
    for words in (("user", "ann", 10, "-"), ("owner", "AAAB", 10, "-")):
        with Server() as server, Driver(server.url()) as driver:
            assert driver.rc("save", 1, 1, "ann", "-") == "0"
            driver.ask("later", 86400 * 1000 + 60000)
            assert driver.ids(*words) == []
            assert server.ask("HLEN", "hoist:{o:AAAB}") == 1  # a clock may be wrong
            driver.ask("later", 86400 * 1000 + 3600000)
            assert driver.ids(*words) == []
            until(lambda: driver.count() == 0, "the row to go")


def test_an_owner_whom_nobody_vouches_for_any_more_is_forgotten():
    with Server() as server, Driver(server.url()) as driver:
        assert driver.rc("save", 1, 1, "-", "-") == "0"
        assert driver.rc("remove", 1, 1, "-", "-") == "0"
        assert driver.count() == 0 and server.ask("ZCARD", "hoist:owners") == 1
        driver.ask("later", 4 * 86400 * 1000)
        assert driver.count() == 0
        until(lambda: server.ask("ZCARD", "hoist:owners") == 0, "the owner to go")


def test_pages_of_an_owner_are_never_larger_than_asked_for():
    """A small hash comes from HSCAN as a whole."""
    with Server() as server, Driver(server.url()) as driver:
        for slot in range(100):
            assert driver.rc("save", 1, slot, "-", "-") == "0"
        server.ask("HSET", "hoist:{o:AAAB}", "no id", "no row")
        for limit in (1, 7, 99, 100, 1000):
            seen, cursor = [], "-"
            while True:
                rc, _, _, cursor, ids, _ = driver.ask("owner", "AAAB", limit, cursor)
                assert rc == "0"
                page = [] if ids == "-" else ids.split(",")
                assert len(page) <= limit
                seen += page
                if cursor == "-":
                    break
            assert len(set(seen)) == 100, (limit, len(seen))
        for cursor in ("x", "1:2", "1", "1@1", "1@0123456x", "0:AAABAAABAAEAAAAB@01234567",
                       "0:AAABAAABAAEAAAA*:0@01234567", "1" * 30 + "@01234567"):
            assert driver.rc("owner", "AAAB", 10, cursor) == "EINVAL", cursor


def test_a_flushed_script_is_sent_again():
    with Server() as server, Driver(server.url()) as driver:
        assert driver.rc("keep", "one", "1") == "0"
        server.ask("SCRIPT", "FLUSH")
        assert driver.rc("claim", "one", "2", "1") == "0"
        server.ask("SCRIPT", "FLUSH")
        assert driver.rc("claim", "one", "3", "1") == "ESTALE"
        assert driver.ask("leases")[-1] == "one=2"


# --- hoist itself ---------------------------------------------------------------------


def come_in(hoist, worker, user):
    client = Client(hoist.address)
    request = worker.get(REQUEST)
    worker.reply(request, 200, None, {"user": user})
    assert client.opened().status == 101
    return client


def test_hoist_has_a_row_for_each_connection_and_no_other():
    with Server(password="sekret") as server, Hoist("--store", server.url()) as hoist:
        worker = Worker(hoist.workers, "$connect", "$disconnect", "$default")
        clients = [come_in(hoist, worker, f"user{i}") for i in range(5)]
        until(lambda: server.rows() == 5, "the rows")
        assert server.ask("ZCARD", "hoist:{u:user3}") == 1
        clients[3].sock.close()
        worker.reply(worker.get(REQUEST))
        until(lambda: server.rows() == 4, "a row to go")
        assert server.ask("EXISTS", "hoist:{u:user3}") == 0
        assert hoist.stats("BROKER")["store_up"] == 1
        assert "sekret" not in hoist.log()


def test_connections_stand_while_the_store_is_away_and_are_recorded_then():
    with Server() as server, \
            Hoist("--store", server.url(), "--store-timeout=1000",
                  "--store-lease=3000") as hoist:
        worker = Worker(hoist.workers, "$connect", "$default")
        first = come_in(hoist, worker, "ann")
        until(lambda: server.rows() == 1, "a row")
        server.kill()
        hoist.find("STORE-DOWN (.*)")
        second = come_in(hoist, worker, "eve")
        for client in (first, second):
            client.send("hello")
            worker.reply(worker.get(REQUEST), 200, "you too")
            assert client.recv() == (1, b"you too")
        server.start()  # without what it had
        until(lambda: server.rows() == 2, "both rows")


def test_a_bad_url_is_one_line_without_secrets():
    for url in ("redis://", "redis://host:0", "redis://host:port", "redis://a:b@c@d",
                "redis://u:sekret@h/x", "redis://u:sekret@h?cluster=maybe",
                "redis://u:sekret%4@h", "redis://h?prefix={x}", "redis://h?what=this",
                "redis://h/3?cluster=yes", "rediss://h?ca=/nowhere", "redis:/h",
                "redis://h?sentinel=m&cluster=yes", "redis://" + "h," * 17 + "h",
                "rediss://h?cert=/tmp", "reds://u:sekret@h"):
        done = subprocess.run([BUILD + "/tests/unit/store_driver", url], timeout=WAIT_S,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)
        assert done.returncode == 1 and done.stderr.count("\n") == 1, (url, done)
        assert "sekret" not in done.stderr, done.stderr


if __name__ == "__main__":
    run(sys.modules[__name__])
