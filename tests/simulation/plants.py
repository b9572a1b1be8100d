#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Does the simulation find bugs?  Realistic mistakes are planted into copies of
the cores, one at a time, and `simulate` must name the promise that each breaks:
one that it does not see, or sees only by crashing, fails this test.  Nothing is
written into the sources or the build.

usage: plants.py BUILD [NAME...]      BUILD: a directory that Ninja built in

A plant replaces a text that stands exactly once in its file.  Where the sources
have moved on it "no longer applies": give it a text of today, or take it out if
the mistake can no longer be made.  One that is not found shows what the
simulation is blind to: teach it to see (truth.h), or to do what brings it out.
"""
import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import typing

ROOT = pathlib.Path(__file__).resolve().parents[2]
SEEDS = 8000     # that a plant may take to be found
TIMEOUT_S = 1200 # for one run of them, beside other tests
OTHERS = 12      # violations of other promises that may come before

# How the lines that say BROKEN name each promise.
PROMISES = {
    "events in order": r"message \d+ after|CONNECT is not the first",
    "one at a time": r"two handlers at once",
    "one DISCONNECT, last":
        r"(is missing|before DISCONNECT|a second DISCONNECT|after DISCONNECT)$|"
        r"DISCONNECT while",
    "deliveries are counted": r"is given for the \d+th time",
    "one outcome each":
        r"outcomes|answer to message \d+, but|no request of its own",
    "nothing is dropped":
        r"hears \d+ words of|a worker closed it|against its handler's word",
    "who stands is served":
        r"reaches no handler|was closed in peace|is not let in",
    "first come, first served": r"served behind one|had room, and",
    "windows are kept": r"more than its window|a window overrun|credit",
    "workers choose their work": r"route of others|has drained",
    "who ends in order leaves nothing": r"that ended in order",
    "nothing is left over": r"keeps",
    "words in order, once": r"hears word \d+ of worker",
    "names are heard": r"misses word",
    "nobody else hears": r"is not in it|never was in it|is for user",
    "pushes are counted": r"PUSHED",
    "the store has what is there": r"the store keeps",
    "what is held is counted": r"internal error at .*held",
    "managers answer, once": r"answer in vain|has no answer|a second time$",
    "who is gone is gone": r"and was gone in|closed it$",
    "what managers say is so": r"in peace$|was delivered to|misses ask|before \d+$",
    "presence is told":
        r"nobody was told that it left|handlers believe it in|, and was in|"
        r"PRESENCE (after|before)|that it is watched",
}


class Plant(typing.NamedTuple):
    name: str
    file: str
    text: str     # that stands there once …
    becomes: str  # … and what is put in its place
    mistake: str
    promise: str  # that breaks, or "one or another"


class Fault(Exception):
    """Why a plant fails the test."""


PLANTS = [
    # Windows and credits.
    Plant("gateway-credit", "broker/outcome.c",
          "gateway->held--;", "",
          "an answer does not give its share of the gateway's window back",
          "windows are kept or what is held is counted"),
    Plant("gateway-credit-bytes", "broker/outcome.c",
          "gateway->held_bytes -= request->size;", "",
          "an answer gives back its message, but not its bytes",
          "windows are kept"),
    Plant("attempts-confused", "broker/dispatch.c",
          "    request_renew(request);\n", "",
          "what a worker says of a request that was taken from it counts for "
          "the next attempt",
          "one outcome each or one at a time or events in order or windows are kept"),
    Plant("ids-of-the-dead", "broker/core.c",
          "hash_bytes(core->boot, strlen(core->boot));", "0;",
          "each broker gives the same ids, so that an answer to a dead one is "
          "another client's",
          "one outcome each or windows are kept"),
    Plant("worker-share", "broker/dispatch.c",
          "worker->held--;", "",
          "a reply does not give its share of the worker's window back",
          "who stands is served"),
    Plant("worker-share-bytes", "broker/dispatch.c",
          "worker->held_bytes -= request->worker_size;", "",
          "a reply gives back its request, but not its bytes: the worker gets "
          "one request at a time",
          "first come, first served"),
    Plant("window-by-one", "broker/routing.c",
          "worker->held < worker->opened", "worker->held <= worker->opened",
          "a worker gets one more than its window",
          "windows are kept"),
    Plant("run-over-window", "broker/dispatch.c",
          "!worker_has_room(worker, cost_of(conn, &parts))) {\n            return;",
          "0) {\n            return;",
          "a run of one mailbox goes on beyond the window",
          "windows are kept"),
    Plant("session-credit", "gateway/session.c",
          "    self->in_flight--;\n", "",
          "a reply does not give its share of the connection's window back",
          "one outcome each"),
    Plant("abandoned-kept", "gateway/link.c",
          "if (self->requests[i].is_abandoned) {", "if (0) {",
          "what a broker forgot keeps its share of the link's window",
          "nothing is left over"),
    Plant("abandoned-released", "gateway/standing.c",
          "if (meaning != LINK_RESUMED) {", "if (1) {",
          "what a broker still holds gives its share of the window back",
          "windows are kept"),
    Plant("push-credit", "gateway/delivery.c",
          "        link_credit(link, 1, bytes);\n", "",
          "a gateway does not give the credit of a push back",
          "windows are kept"),
    Plant("push-credit-broker", "broker/pushes.c",
          "peer_sent(core, peer, message_put_credit(&peer->out, &credit));", "",
          "a broker does not pass the credit of a push on",
          "windows are kept"),

    # Groups, users, everyone.
    Plant("reply-overtakes", "gateway/hub.c",
          "    delivery_catch_up(session);\n    switch", "    switch",
          "a reply comes before what was pushed to a group of its connection",
          "words in order, once"),
    Plant("push-overtakes", "gateway/delivery.c",
          "delivery_catch_up(session);\n        rc = session_push",
          "rc = session_push",
          "a push to one comes before an earlier one to many",
          "words in order, once"),
    Plant("leave-ignored", "gateway/delivery.c",
          "groups_leave(&hub->groups, group, &session->member);", "",
          "who leaves a group stays in it",
          "nobody else hears"),
    Plant("group-forgotten", "gateway/delivery.c",
          "rc == 0 && count > 0; count--", "0; count--",
          "the groups of a REPLY are not read",
          "names are heard"),
    Plant("join-in-flight", "broker/pushes.c",
          "interests_joining(core, gateway, join->group)", "NULL",
          "a push behind a JOIN goes only to gateways that have told of the group",
          "names are heard"),
    Plant("came-untold", "gateway/telling.c",
          "(came->count > 0 &&", "(0 &&",
          "brokers are not told of the first connection of a name",
          "names are heard"),
    Plant("interest-dropped", "broker/interests.c",
          "interest->is_told || interest->joining > 0", "interest->joining > 0",
          "a broker forgets a name when a JOIN of it has arrived",
          "names are heard"),
    Plant("list-untrue", "gateway/telling.c",
          "group->count > 0 && put_name", "group->index > 0 && put_name",
          "the list of names lacks the first",
          "names are heard"),
    Plant("job-credit", "gateway/delivery.c",
          "link_credit(link, 1 + job->credit_messages,", "link_credit(link, 1,",
          "what came behind a push to many is not credited",
          "windows are kept"),
    Plant("pushed-unsaid", "broker/pushes.c",
          "        put_pushed(core, worker, push);\n", "",
          "a worker that asked is not told how many its push reached",
          "pushes are counted"),

    # Managers.
    Plant("gone-unasked", "manage/manager.c",
          "    } else if (pushed->refused == 0) {\n        doubt_gone(self, call);\n",
          "    } else if (pushed->refused == 0) {\n        fail(self, call, &fault_gone);\n",
          "who is at a gateway that a broker does not know is taken for gone",
          "who is gone is gone"),
    Plant("gone-early", "manage/manager.c",
          "!uplink_is_settled(self->uplinks[i], self->now_ms)", "0",
          "what a broker that has just started does not know is taken for gone",
          "who is gone is gone"),
    Plant("closed-unasked", "manage/manager.c",
          "    if (ask(call, STEP_CLOSED) < 0) {\n        fail(self, call, &fault_memory);\n    }",
          "    (void)put_close(call);\n    finish_status(self, call, 204);",
          "what was to be closed is taken for closed",
          "who is gone is gone"),
    Plant("manager-credit", "manage/uplink.c",
          "credit->messages < self->pushes ? credit->messages : self->pushes;", "0;",
          "a manager does not take the credit of its pushes",
          "windows are kept"),
    Plant("lost-uncounted", "broker/pushes.c",
          "passed.push->gone += passed.named;", ";",
          "a push that was lost with its gateway has reached nobody, nor missed any",
          "what managers say is so"),

    # The end of a broker.
    Plant("drained-early", "broker/core.c",
          "core->stats.requests <= count_stranded(core)", "true",
          "a broker ends with requests on their way",
          "who ends in order leaves nothing"),
    Plant("drained-unsent", "broker/core.c",
          "!core_is_parked(core) && keeper_is_idle(core)",
          "keeper_is_idle(core)",
          "a broker ends with replies that a full socket has not taken",
          "who ends in order leaves nothing"),
    Plant("drain-unheard", "gateway/link.c",
          "takes_requests(self) && !self->is_draining &&",
          "takes_requests(self) &&",
          "a gateway goes on sending after it said that it will not",
          "who ends in order leaves nothing"),

    # Order, and who is served.
    Plant("no-binding", "broker/dispatch.c",
          "conn->worker != NULL && !is_loose(event, place.route)", "0",
          "a second worker is given a connection's work while one holds some",
          "one at a time"),
    Plant("deadline-unbinds", "broker/dispatch.c",
          "if (request->worker != NULL) {\n        return;",
          "if (request->worker != NULL) {"
          "worker_t *worker = request->worker;"
          "let_go(request);"
          "routing_level(worker);"
          "conn->is_busy = true;"
          "outcome_finish(core, request);"
          "if (conn->worker == NULL && conn->queue == QUEUE_WORKER) {"
          "    routing_unqueue(conn);"
          "}"
          "schedule(core, conn);"
          "return;",
          "a deadline lets the connection go while its handler runs",
          "one at a time or windows are kept"),
    Plant("mailbox-lifo", "broker/dispatch.c",
          "list_append(&request->conn->waiting",
          "list_prepend(&request->conn->waiting",
          "a mailbox gives the newest first",
          "events in order"),
    Plant("route-lifo", "broker/routing.c",
          "list_append(&route->waiters", "list_prepend(&route->waiters",
          "the queue of a route gives the newest first",
          "first come, first served"),
    Plant("route-of-others", "broker/routing.c",
          "if (serves->crew == crew) {", "if (1) {",
          "a worker is taken to serve what any of them serves",
          "workers choose their work"),
    Plant("drained-still-fed", "broker/core_worker.c",
          "case KIND_DRAIN:\n        dispatch_drain(core, worker);",
          "case KIND_DRAIN:",
          "a worker that drains still gets work",
          "workers choose their work"),
    Plant("kept-twice", "gateway/session.c",
          "keep(self, bytes + taken, len - taken);", "keep(self, bytes, len);",
          "bytes that were taken are kept for later too",
          "one outcome each"),
    Plant("never-woken", "gateway/session.c",
          "if (!link_has_turn(self->link) && list_is_empty(&self->wait)) {",
          "if (0) {",
          "a paused session is not among those that wait for the link",
          "one outcome each"),
    Plant("wake-none", "gateway/hub.c",
          "        resume_waiting(self->links[i]);\n", "",
          "room in the link wakes nobody",
          "one outcome each"),
    Plant("wake-none-listed", "gateway/listing.c",
          "placement_joined(hub, link);", "",
          "the end of the list wakes nobody",
          "nothing is left over"),

    # Outcomes.
    Plant("answer-twice", "broker/outcome.c",
          "if (request->is_answered) {", "if (0) {",
          "a reply behind its deadline is an answer too",
          "one outcome each"),
    Plant("answer-never", "broker/requests.c",
          "request->is_answered = false;", "",
          "a request bears the mark of the one before it in the table",
          "one outcome each"),
    Plant("no-deadline", "broker/dispatch.c",
          "wheel_arm(&core->wheel, &request->deadline, request->due_ms);", "",
          "a request has no deadline",
          "one outcome each"),
    Plant("death-in-silence", "broker/dispatch.c",
          "outcome_fail(core, request,\n"
          "                     request->event == EVENT_CONNECT ? 502 : 500);", "",
          "a request dies with its worker and has no outcome",
          "one outcome each"),
    Plant("late-reply", "broker/dispatch.c",
          "requests_find(&core->requests, given->id);",
          "&core->requests.pages[given->id % REQUESTS_MAX / REQUESTS_A_PAGE]"
          "[given->id % REQUESTS_A_PAGE];",
          "a reply finds whatever request is in its place by now",
          "one outcome each or one at a time or events in order or windows are kept"),
    Plant("abandoned-answered", "gateway/link.c",
          "return request->is_abandoned ? -ESTALE : 0;", "return 0;",
          "a request that was given up gets a second outcome",
          "one outcome each"),
    Plant("push-lost", "gateway/delivery.c",
          "rc = session_push(session, &push->body, pusher)", "rc = 0",
          "a push is credited, but not delivered",
          "nothing is dropped"),
    Plant("close-lost", "broker/pushes.c",
          "    put_close(core, gateway, &passed);\n", "",
          "a CLOSE does not come to the gateway",
          "nothing is dropped"),
    Plant("early-push-lost", "gateway/opening.c",
          "int rc = buf_put(&self->out, early->frames.data, early->frames.len);",
          "int rc = 0;",
          "a push of the handler of CONNECT is not delivered",
          "nothing is dropped"),
    Plant("early-close-lost", "gateway/opening.c",
          "    close_early(self, early);\n", "",
          "a CLOSE by the handler of CONNECT is not obeyed",
          "nothing is dropped"),
    Plant("full-socket", "broker/peers.c",
          "if (sent == 0) {", "if (sent == 0 || sent == -EAGAIN) {",
          "what a full socket did not take is thrown away",
          "one outcome each"),

    # The end of a connection.
    Plant("disconnect-dies", "broker/dispatch.c",
          "request->is_again = request->event == EVENT_DISCONNECT ||",
          "request->is_again =",
          "a DISCONNECT dies with its worker",
          "one DISCONNECT, last"),
    Plant("disconnect-dropped", "broker/dispatch.c",
          "return event == EVENT_DISCONNECT &&\n           core->now_ms",
          "return 0 &&\n           core->now_ms",
          "a DISCONNECT is dropped while no worker is there",
          "one DISCONNECT, last"),
    Plant("mailbox-of-the-dead", "broker/dispatch.c",
          "list_append(homeless, &conn->queued);", "",
          "a mailbox is not let go when its worker dies",
          "one DISCONNECT, last"),
    Plant("redelivered-behind", "broker/dispatch.c",
          "list_prepend(&request->conn->waiting",
          "list_append(&request->conn->waiting",
          "what a dead worker held goes behind what came later",
          "events in order or one DISCONNECT, last or one outcome each"),
    Plant("siblings-trusted", "broker/siblings.c",
          "    routing_suspend(worker);\n", "",
          "what a dead process held is given to another of its links",
          "deliveries are counted"),
    Plant("siblings-forgotten", "broker/siblings.c",
          "        routing_resume(worker);\n", "",
          "a link that has shown that it lives gets no more requests",
          "who stands is served or one outcome each"),
    Plant("redelivered-once-more", "broker/dispatch.c",
          "request->attempt <= terms->redeliver",
          "request->attempt <= terms->redeliver + 1",
          "a request is delivered once more than its route says",
          "deliveries are counted"),
    Plant("disconnect-overtakes", "broker/dispatch.c",
          "event == EVENT_DISCONNECT && conn->loose > 0", "0",
          "a DISCONNECT overtakes messages of a route without order",
          "one DISCONNECT, last"),
    Plant("farewell-once", "gateway/standing.c",
          "session->is_disconnecting = false;", "",
          "a DISCONNECT is not said again when the broker was lost",
          "nothing is left over"),
    Plant("farewell-doubled", "broker/core_gateway.c",
          "first_of(conn, given->event) != NULL",
          "first_of(conn, given->event) != NULL && keeper_makes_wait(core)",
          "a DISCONNECT said again comes to a second handler",
          "one DISCONNECT, last"),
    Plant("farewell-early", "broker/core_gateway.c",
          "first->gateway_id = again->id;",
          "refuse(core, first->conn->gateway, again->id, 200);",
          "a DISCONNECT said again is answered before a handler has had it",
          "one DISCONNECT, last"),
    Plant("let-in-nobody", "broker/outcome.c",
          "if (!conn->is_listed) { /*", "if (0) { /*",
          "a handler lets in who has gone, and nobody hears of the end",
          "one DISCONNECT, last"),
    Plant("left-at-the-gate", "gateway/opening.c",
          "self->is_known = is_accepted;",
          "self->is_known = is_accepted && self->state == SESSION_GATED;",
          "the same, of who left while the handler decided",
          "one DISCONNECT, last"),

    # Who is in which group.
    Plant("presence-without-end", "gateway/session.c",
          "if (list_is_empty(&self->move) && !presence_holds(self)) {",
          "if (list_is_empty(&self->move)) {",
          "a connection ends, and its groups were never left",
          "presence is told"),
    Plant("presence-lost", "broker/dispatch.c",
          "dispatch_leave(core, conn);\n        queue_disconnect",
          "queue_disconnect",
          "whom a lost gateway had never leaves its groups",
          "presence is told"),
    Plant("presence-not-again", "gateway/presence.c",
          "session->presence->is_under_way = false;",
          "session->presence->is_under_way = false;\n"
          "        buf_fini(&session->presence->details);",
          "what was told to a broker that was lost is not told again",
          "presence is told"),
    Plant("presence-once", "broker/dispatch.c",
          "request->event == EVENT_PRESENCE ||\n                        request->attempt",
          "request->attempt",
          "what a dead worker was told is not told another",
          "presence is told"),

    # Restarts and broken links.
    Plant("no-greeting", "gateway/link.c",
          "(void)message_put_hello(&self->out, &hello);", "",
          "a gateway never greets, and nobody gets in",
          "who stands is served"),
    Plant("no-dispatch", "broker/dispatch.c",
          "place = place_of(core, conn, request->event, parts);", "",
          "what comes to an empty mailbox is not dispatched",
          "who stands is served or one outcome each"),
    Plant("boot-keeps", "broker/core.c",
          "has_role(peer) && (!wire_is(hello->boot, peer->boot) ||\n"
          "                           !wire_is(hello->role, role_of(peer)))", "0",
          "a HELLO of a new boot keeps the requests of the old one",
          "nothing is left over"),
    Plant("sync-ends-none", "broker/core_gateway.c",
          "conns_each(core, gateway, end_unlisted);", "",
          "what a list does not name lives on",
          "nothing is left over"),
    Plant("sync-ends-all", "broker/core_gateway.c",
          "if (conn != NULL) {\n        conn->round = gateway->round;",
          "if (conn != NULL) {",
          "what a list names is ended",
          "who stands is served or one DISCONNECT, last"),
    Plant("sync-shuts", "broker/core_gateway.c",
          "conn->state = CONN_OPEN;\n    conn->round", "conn->round",
          "a connection taken over from a list is not open",
          "who stands is served or one DISCONNECT, last"),
    Plant("list-skips-ending", "gateway/listing.c",
          "if (session == NULL || !session->is_known ||",
          "if (session == NULL || !session->is_known || session->is_ending ||",
          "a list leaves out the connections that are ending",
          "one DISCONNECT, last"),
    Plant("ended-unheard", "gateway/link.c",
          'wire_map_bool(welcome->options, "ended", false)', "0",
          "connections that the broker has ended are listed again",
          "one DISCONNECT, last"),
    Plant("ended-assumed", "gateway/link.c",
          'wire_map_bool(welcome->options, "ended", false)', "1",
          "connections that the broker never heard of are taken for ended",
          "one DISCONNECT, last"),
    Plant("moved-busy", "gateway/placement.c",
          "if (session->in_flight == 0) {", "if (1) {",
          "a connection moves to another broker while its requests are under way",
          "one at a time or events in order or one outcome each"),
    Plant("moved-while-it-runs", "broker/outcome.c",
          "request->conn->overdue > 0 &&", "0 &&",
          "a connection moves although a handler of it runs on",
          "one at a time"),
    Plant("moved-unsaid", "gateway/listing.c",
          "put_part(link, &list, count, false, SYNC_ADD);", "0;",
          "a broker is not told of the connections that move to it",
          "who stands is served or one outcome each or nothing is left over or "
          "one DISCONNECT, last"),
    Plant("departed-unsaid", "gateway/listing.c",
          "put_part(link, &list, count, false, SYNC_DROP);", "0;",
          "a broker is not told of the connections that went to another",
          "nothing is left over or one DISCONNECT, last"),
    Plant("drop-with-an-end", "broker/core_gateway.c",
          "dispatch_drop(core, conn);",
          'dispatch_end(core, conn, 1006, "dropped");',
          "a connection that went to another broker gets its DISCONNECT",
          "one DISCONNECT, last"),

    # A gateway behind a broken transport.
    Plant("gateway-not-awaited", "broker/returns.c",
          "    if (!has_broken ||", "    if (1 ||",
          "a gateway is lost with its transport",
          "who stands is served"),
    Plant("requests-outlive-transport", "broker/returns.c",
          "    dispatch_cut(core, gateway);\n", "",
          "what the gateway takes for failed keeps its share of the window",
          "windows are kept"),
    Plant("orders-lost", "broker/pushes.c",
          "        if (passed.order == NULL) {", "        if (1) {",
          "a JOIN, LEAVE or CLOSE is lost with the transport",
          "nothing is dropped"),
    Plant("list-is-the-first", "broker/returns.c",
          "    gateway->is_drained = false;", "    gateway->was_synced = false;",
          "the list of a gateway that came back adds whom it names",
          "one DISCONNECT, last"),
    Plant("close-not-credited", "gateway/delivery.c",
          "    if (link->credits_closes) {", "    if (0) {",
          "a CLOSE gets no CREDIT, and the next PUSH gives it instead",
          "windows are kept"),

    # A store that brokers share.
    Plant("row-left", "broker/keeper.c",
          "remove_row(core, conn->record, conn->is_orphan);", ";",
          "the row of a connection that is over stays",
          "the store has what is there"),
    Plant("row-left-by-its-gateway", "broker/keeper.c",
          "conn->is_stored = false;", "conn->is_stored = false; (void)keep; return;",
          "a DISCONNECT waits for ever for its row to go",
          "nothing is left over or who ends in order leaves nothing or "
          "the store has what is there"),
    Plant("row-unwritten", "broker/core_gateway.c",
          "keeper_save(core, conn);", "",
          "a broker does not write the rows of connections that it hears of",
          "the store has what is there or one DISCONNECT, last or one at a time"),
    Plant("row-forgotten", "broker/core_gateway.c",
          "conn->is_stored = true;", "",
          "a row of the broker before is not removed with its connection",
          "the store has what is there or one DISCONNECT, last"),
    Plant("unsaved-for-ever", "broker/keeper.c",
          "(!conn->is_unsaved && !is_due)", "!is_due",
          "what could not be written is not written later",
          "the store has what is there"),
    Plant("removal-forgotten", "broker/keeper.c",
          "        put_off(core, keep);\n    } else {\n        keep_free(keep);",
          "        keep_free(keep);\n    } else {\n        keep_free(keep);",
          "what could not be removed is not removed later",
          "the store has what is there"),
    Plant("lease-of-the-living", "broker/sweep.c",
          "core->now_ms - lease->since_ms < core->options.store_lease_ms",
          "core->now_ms - lease->since_ms < 100",
          "a lease is over before its gateway can keep it",
          "one DISCONNECT, last or events in order or one at a time"),
    Plant("swept-in-silence", "broker/sweep.c",
          'dispatch_end(core, conn, 1006, "gateway lost");',
          'conn->state = CONN_CLOSING; conns_reap(core, conn);',
          "rows of the dead go without a DISCONNECT",
          "one DISCONNECT, last"),
    Plant("swept-unasked", "broker/sweep.c",
          "    } else if (gateway != NULL) {", "    } else if (0) {",
          "connections whose broker cannot reach the store are ended",
          "one DISCONNECT, last or events in order or one at a time"),
    Plant("farewells-forgotten", "gateway/session.c",
          "farewells_put(&self->hub->farewells, &self->id);", "",
          "a gateway does not know whose DISCONNECT was handled",
          "one DISCONNECT, last"),
    Plant("swept-unremembered", "broker/sweep.c",
          "remember_swept(core, row->id.loop);", "",
          "a gateway that was away does not hear that its connections ended",
          "one DISCONNECT, last or events in order or one at a time"),
    Plant("ended-unsaid", "broker/core_gateway.c",
          "mark_synced(core, gateway->session, true);", "",
          "a broker forgets that it had a whole list of the session it ends",
          "one DISCONNECT, last"),
]


class Build:
    """How the build compiles a file of the cores, and links `simulate`."""

    def __init__(self, path):
        self.path = path.resolve()
        entries = json.loads((self.path / "compile_commands.json").read_text())
        self.compiling = {
            entry["file"]: shlex.split(entry["command"]) for entry in entries
            if re.search(r"CMakeFiles/(broker|gateway|manage)\.dir/", entry["command"])}
        self.linking = self.link_command()

    def link_command(self):
        cache = (self.path / "CMakeCache.txt").read_text()
        ninja = re.search(r"^CMAKE_MAKE_PROGRAM:\w+=(.+)$", cache, re.M)[1]
        commands = subprocess.run(
            [ninja, "-t", "commands", "simulate"], cwd=self.path, check=True,
            text=True, stdout=subprocess.PIPE).stdout
        _, command, _ = commands.splitlines()[-1].split("&&")
        return shlex.split(command)

    def compile(self, source, copy, to):
        """By the very command of `source`, without warnings and debug data."""
        command = list(self.compiling[str(source)])
        command[command.index("-o") + 1] = str(to)
        command[command.index("-c") + 1] = str(copy)
        subprocess.run([*command, "-w", "-g0"], cwd=self.path, check=True)

    def link(self, planted, to):
        """What stands before a static library is not taken from it."""
        command = list(self.linking)
        at = command.index("-o")
        command[at:at + 2] = [str(planted), "-o", str(to)]
        subprocess.run(command, cwd=self.path, check=True)


def grow(plant, build, folder):
    """A `simulate` with the plant in it."""
    source = ROOT / plant.file
    text = source.read_text()
    times = text.count(plant.text)
    if times != 1:
        raise Fault(f"no longer applies: its text stands in {plant.file} "
                    f"{times} times")
    copy = folder / source.name
    copy.write_text(text.replace(plant.text, plant.becomes))
    try:
        build.compile(source, copy, folder / "planted.o")
        build.link(folder / "planted.o", folder / "simulate")
    except subprocess.CalledProcessError:
        raise Fault("no longer applies: what it becomes does not compile") from None
    return folder / "simulate"


def simulate(program, first, last):
    """None when all is well, or the first seed that broke promises, and which."""
    try:
        run = subprocess.run(
            [program, "--seeds", f"{first}:{last}"], text=True, errors="replace",
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise Fault(f"hangs in the seeds {first}:{last}") from None
    if run.returncode == 0:
        return None
    if run.returncode == -signal.SIGABRT:  # a check of the program itself
        return first, re.findall(r"internal error at .*", run.stdout)
    broken = re.findall(r"BROKEN: (.*)$", run.stdout, re.M)
    seed = re.search(r"^seed (\d+), faults:", run.stdout, re.M)
    if run.returncode != 1 or not broken or seed is None:
        raise Fault(f"names no promise in the seeds {first}:{last}, but ends with "
                    f"status {run.returncode}: {run.stdout[-300:]}")
    return int(seed[1]), broken


def judge(plant, build, folder):
    """Where the promise was seen to be broken; raises Fault when it was not."""
    program = grow(plant, build, folder)
    others = set()
    first = 1
    for _ in range(OTHERS):
        found = simulate(program, first, SEEDS)
        if found is None:
            break
        seed, broken = found
        for line in broken:
            if any(re.search(PROMISES[promise], line)
                   for promise in plant.promise.split(" or ")):
                return f"seed {seed}: {line}"
        others.update(broken)
        first = seed + 1
    if not others:
        raise Fault(f"is NOT FOUND in {SEEDS} seeds: {plant.mistake}")
    raise Fault(f"is not seen to break \"{plant.promise}\", but: "
                + "; ".join(sorted(others)[:4]))


def check(plant, build, folder):
    try:
        (folder / plant.name).mkdir()
        print(f"ok   {plant.name}: {judge(plant, build, folder / plant.name)}",
              flush=True)
        return True
    except Fault as fault:
        print(f"FAIL {plant.name} {fault}", flush=True)
        return False


def check_unplanted(build):
    try:
        found = simulate(build.path / "tests/simulation/simulate", 1, 100)
    except Fault as fault:
        found = fault
    print(f"{'ok  ' if found is None else 'FAIL'} without a plant: "
          f"{found or 'all is well'}", flush=True)
    return found is None


def main():
    build = Build(pathlib.Path(sys.argv[1]))
    names = sys.argv[2:] or [plant.name for plant in PLANTS]
    plants = [plant for plant in PLANTS if plant.name in names]
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(prefix="plants-") as folder, \
            concurrent.futures.ThreadPoolExecutor(cores) as pool:
        checks = [pool.submit(check_unplanted, build)]
        checks += [pool.submit(check, plant, build, pathlib.Path(folder))
                   for plant in plants]
        failed = sum(not each.result() for each in checks)
    print(f"{len(plants)} plants, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
