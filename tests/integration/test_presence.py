# SPDX-License-Identifier: MIT
"""Who is in a group, over two brokers and two gateways: whichever broker is
asked, and although processes are killed."""
import sys

from harness import *

JOIN, LEAVE, QUERY, RESULT = 8, 9, 12, 13
PRESENCE = 4  # an event
CROWD = 60  # members at each gateway


class System:
    def __init__(self, *routes):
        self.brokers = [Hoist(command="broker") for _ in range(2)]
        gateways = ",".join(broker.gateways for broker in self.brokers)
        self.gateways = [Hoist(f"--broker={gateways}", command="gateway")
                         for _ in range(2)]
        self.assert_soon(gateways=2)
        self.workers = [Worker(broker.workers, "$connect", "$disconnect", *routes,
                               window=1000, options={"liveness": 120000})
                        for broker in self.brokers]
        self.asked = 0

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        Client.close_all()
        for hoist in self.gateways + self.brokers:
            hoist.__exit__(kind, error, trace)

    def assert_soon(self, **gauges):
        for broker in self.brokers:
            broker.soon(**gauges)

    def next_request(self, event):
        """The next event of this kind, at whichever broker it comes."""
        return first_of(self.workers, lambda message:
                        message[0] == REQUEST and message[2] == event, f"an event {event}")

    def enter(self, gateway, **options):
        client = Client(self.gateways[gateway].address)
        worker, request = self.next_request(CONNECT)
        worker.reply(request, 200, None, options)
        client.opened()
        client.conn = request[3]
        return client

    def ask(self, worker, what, **options):
        """status, rows, options"""
        self.asked += 1
        worker.send([QUERY, self.asked, what, options])
        result = worker.get(RESULT)
        assert result[1] == self.asked, result
        status, rows, *more = result[2:]
        return status, rows, more[0] if more else {}

    def count(self, group, by=0):
        status, _, options = self.ask(self.workers[by], ["group", group], count=True)
        assert status == 200, status
        return options["count"]

    def members(self, group, limit=100, pages=None):
        """All of them, page after page, each asked of the other broker."""
        rows, options = [], {}
        while True:
            worker = self.workers[len(pages) % 2 if pages is not None else 0]
            status, page, more = self.ask(worker, ["group", group], limit=limit, **options)
            assert status == 200 and len(page) <= limit, (status, len(page))
            rows += page
            if pages is not None:
                pages.append(len(page))
            if "cursor" not in more:
                return rows
            options = {"cursor": more["cursor"]}


def crowd(system):
    clients = [system.enter(i % 2, user=f"u{i:03}", groups=["den"])
               for i in range(2 * CROWD)]
    system.enter(0, user="far", groups=["attic"])
    for by in range(2):
        until(lambda: system.count("den", by) == 2 * CROWD, "the brokers to know the group")
    return clients


def test_members_of_all_gateways_come_page_after_page():
    with System() as system:
        clients = crowd(system)
        pages = []
        rows = system.members("den", limit=25, pages=pages)
        assert len(rows) == len(clients)
        assert {conn for conn, _ in rows} == {client.conn for client in clients}
        assert sorted(context["user"] for _, context in rows) == \
            [f"u{i:03}" for i in range(2 * CROWD)]
        assert pages == [25, 25, 10, 25, 25, 10], pages
        assert [context["user"] for _, context in system.members("attic")] == ["far"]
        assert system.members("nowhere") == [] and system.count("nowhere") == 0


def test_who_joins_and_leaves_is_counted_at_once():
    with System() as system:
        ada = system.enter(0, user="ada")
        worker = system.workers[0]
        worker.send([JOIN, "den", ada.conn])
        assert system.count("den") == 1  # by the same broker: behind the JOIN
        assert [conn for conn, _ in system.members("den")] == [ada.conn]
        worker.send([LEAVE, "den", ada.conn])
        assert system.count("den") == 0
        worker.send([JOIN, "den", ada.conn])
        ada.sock.close()
        until(lambda: system.count("den") == 0, "its membership to end")


def test_the_members_of_a_killed_gateway_are_gone():
    with System() as system:
        clients = crowd(system)
        system.gateways[0].kill()
        for by in range(2):
            until(lambda: system.count("den", by) == CROWD, "the gateway to be missed")
        assert {conn for conn, _ in system.members("den", limit=7)} == \
            {client.conn for client in clients[1::2]}


def test_members_outlive_a_killed_broker():
    with System() as system:
        clients = crowd(system)
        status, first, options = system.ask(system.workers[0], ["group", "den"], limit=50)
        assert status == 200 and len(first) == 50
        system.brokers[0].kill()
        system.workers.pop(0)
        rows = list(first)
        while "cursor" in options:
            status, page, options = system.ask(system.workers[0], ["group", "den"],
                                               limit=50, cursor=options["cursor"])
            assert status == 200
            rows += page
        assert len(rows) == len(clients)
        assert {conn for conn, _ in rows} == {client.conn for client in clients}


def test_a_live_connection_is_asked_of_its_gateway_by_any_broker():
    with System() as system:
        ada = system.enter(1, user="ada")
        for worker in system.workers:
            status, rows, _ = system.ask(worker, ["connection", ada.conn], live=True)
            assert status == 200, status
            (conn, context), = rows
            assert conn == ada.conn and context["user"] == "ada"
            # Reckoned by another clock, whose milliseconds begin elsewhere.
            assert context["last_active_at"] + 1 >= context["connected_at"] > 0
        ada.sock.close()
        worker, request = system.next_request(DISCONNECT)
        for each in system.workers:  # its end is not handled yet
            assert system.ask(each, ["connection", ada.conn], live=True)[0] == 404
        worker.reply(request)
        system.gateways[1].kill()
        system.assert_soon(gateways=1)
        for each in system.workers:
            assert system.ask(each, ["connection", ada.conn], live=True)[0] == 503


# --- events of $presence -----------------------------------------------------

class Watcher:
    """What the handlers of $presence believe, from all that they are told."""

    def __init__(self, system):
        self.system, self.groups, self.last, self.ended = system, {}, {}, []

    def hear(self, wait_ms=20):
        """All that is there; each is answered."""
        for worker in self.system.workers:
            worker.pump(wait_ms)
            for message in [m for m in worker.inbox if m[0] == REQUEST]:
                worker.inbox.remove(message)
                self.take(message[2], message[3], message[8])
                worker.reply(message)

    def take(self, event, conn, details):
        groups = self.groups.setdefault(conn, set())
        if event == PRESENCE and details == self.last.get(conn):
            return  # our reply was lost: it comes again as it was
        if event == PRESENCE:
            self.last[conn] = details
            assert not groups & set(details["joined"]), (conn, groups, details)
            assert groups >= set(details["left"]), (conn, groups, details)
            groups |= set(details["joined"])
            groups -= set(details["left"])
        else:
            assert event == DISCONNECT and not groups, (event, conn, groups)
            assert conn not in self.ended
            self.ended.append(conn)

    def until(self, condition, what):
        def look():
            self.hear()
            return condition()
        until(look, what)


def test_watchers_hear_who_joins_and_leaves():
    with System("$presence") as system:
        watcher = Watcher(system)
        ada = system.enter(0, groups=["den"])
        watcher.until(lambda: watcher.groups.get(ada.conn) == {"den"}, "the first group")
        system.workers[0].send([JOIN, "attic", ada.conn], [LEAVE, "den", ada.conn])
        watcher.until(lambda: watcher.groups[ada.conn] == {"attic"}, "the change")
        ada.sock.close()
        watcher.until(lambda: watcher.ended == [ada.conn], "the end")


def test_a_killed_gateway_leaves_nobody_in_a_group():
    with System("$presence") as system:
        watcher = Watcher(system)
        clients = [system.enter(i % 2) for i in range(20)]
        for client in clients:
            system.workers[0].send([JOIN, "den", client.conn])
        watcher.until(lambda: sum(g == {"den"} for g in watcher.groups.values()) == 20,
                      "all to be told of")
        system.gateways[0].kill()
        watcher.until(lambda: len(watcher.ended) == 10, "half of them to end")
        assert set(watcher.ended) == {client.conn for client in clients[::2]}
        assert all(watcher.groups[client.conn] == {"den"} for client in clients[1::2])


def test_a_killed_broker_changes_nothing_for_watchers():
    with System("$presence") as system:
        watcher = Watcher(system)
        clients = [system.enter(i % 2, groups=["den"]) for i in range(20)]
        watcher.until(lambda: sum(g == {"den"} for g in watcher.groups.values()) == 20,
                      "all to be told of")
        system.brokers[0].kill()
        system.workers.pop(0)
        system.brokers[1].soon(connections=20)
        for client in clients:
            system.workers[0].send([LEAVE, "den", client.conn])
        watcher.until(lambda: not any(watcher.groups.values()), "all to have left")
        system.gateways[1].kill()
        watcher.until(lambda: len(watcher.ended) == 10, "half of them to end")


def test_who_begins_to_watch_hears_who_is_there():
    with System() as system:
        clients = [system.enter(i % 2, groups=["den"]) for i in range(20)]
        for broker in system.brokers:
            system.workers.append(Worker(broker.workers, "$presence",
                                         options={"liveness": 120000}))
        watcher = Watcher(system)
        watcher.until(lambda: len(watcher.groups) == 20, "all to be told of")
        assert set(watcher.groups) == {client.conn for client in clients}
        assert all(groups == {"den"} for groups in watcher.groups.values())


if __name__ == "__main__":
    run(sys.modules[__name__])
