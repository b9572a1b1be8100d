# SPDX-License-Identifier: MIT
"""The judge of the soak: histories that keep the promises, and one for each
way to break them."""
import datetime
import sys
import time

from nodes import pause_in
from truth import CONNECT, DISCONNECT, MESSAGE, Run, Truth

CONN = "conn"


class Story:
    """One client, open from 1 to 90, and the handlers of its events."""

    def __init__(self):
        self.truth = Truth(limit_s=8)
        self.client = self.truth.attempt("gateway-1", 1, 1.0)
        self.client.opened = 1.5
        self.ids = 0
        for worker in (1, 2):
            for second in range(200):
                self.truth.proven(worker, 0, second)

    def handler(self, begin, event, n=0, route="one", worker=1, end=None,
                status=200, attempt=1, k=1):
        self.ids += 1
        self.truth.begins(self.ids, Run(worker, 0, CONN, event, route, k, n,
                                        attempt, self.ids, begin))
        if end != "never":
            self.truth.ends(worker, self.ids, end or begin + 0.1, status)

    def connect(self, **how):
        self.handler(1.1, CONNECT, **how)
        return self

    def message(self, at, route="one", answer=True, **how):
        """Sent, handled at once and answered."""
        n = self.client.send(at, route)
        self.handler(at + 0.1, MESSAGE, n, route, **how)
        if answer:
            self.client.answered(at + 0.3, n)
        return self

    def leave(self, **how):
        self.client.closed, self.client.how = 90.0, "left"
        self.handler(90.1, DISCONNECT, **how)
        return self

    def verdict(self):
        if self.client.closed is None:
            self.client.closed = 90.0
        self.truth.settle_all(200.0)
        return {one["check"] for one in self.truth.violations}


def usual():
    return Story().connect().message(10).message(20).leave()


def whole(story, *checks):
    assert story.verdict() == set(checks), story.truth.violations


# --- promises kept --------------------------------------------------------

def test_nothing_is_wrong_with_a_usual_life():
    whole(usual())


def test_a_refused_client_has_no_other_event():
    story = Story().connect(status=403)
    story.client.opened = None
    whole(story)


def test_a_handler_in_doubt_may_overlap():
    story = Story().connect()
    story.client.send(10, "one")
    story.handler(10.5, MESSAGE, 0, end="never")
    story.truth.proofs[(1, 0)] = 9
    story.client.failed(14, 77, "Internal server error")
    story.message(15, worker=2)
    story.truth.dropped(1, 0, 16)
    whole(story.leave(worker=2))


def test_what_a_worker_holds_that_is_welcomed_again_is_in_doubt():
    story = Story().connect()
    story.client.send(10, "one")
    story.truth.proofs[(1, 0)] = 9
    story.handler(10.5, MESSAGE, 0, end="never")
    story.client.failed(14, 77, "Internal server error")
    story.truth.welcomed_again(1, 0, 16)
    story.message(17, worker=2)
    story.truth.ends(1, 2, 18, 200)
    whole(story.leave(worker=2))


def test_what_a_dead_worker_replied_in_doubt_may_come_again():
    story = usual()
    story.truth.proofs[(1, 0)] = 90
    story.truth.died(1, 1, 91)
    story.handler(92, DISCONNECT, worker=2)
    whole(story)


def test_a_disconnect_may_come_again_from_another_broker():
    story = usual()
    story.truth.crashes.append(91)
    story.handler(92, DISCONNECT, worker=2)
    whole(story)


def test_gateway_and_broker_lost_together_may_forget():
    story = Story().connect().message(10)
    story.truth.trouble["gateway-1"].add(90, 95)
    story.truth.crashes.append(91)
    whole(story)


def two_brokers():
    story = Story().connect()
    for n in (0, 1):
        story.client.send(10, "one")
    story.client.failed(14, 77, "Internal server error")
    story.handler(15, MESSAGE, 1)
    story.client.answered(15.2, 1)
    story.handler(17, MESSAGE, 0)
    story.truth.actors[CONN][-1].link = 1
    return story.leave()


def test_what_a_broker_held_that_stood_still_may_be_handled_later():
    story = two_brokers()
    story.truth.stops["broker-2"].add(11, 16)
    whole(story)


def test_a_connection_that_came_back_to_a_broker_that_stood_still_has_no_order():
    def story():
        it = two_brokers()
        it.truth.stops["broker-2"].add(11, 16)
        for run in it.truth.actors[CONN]:
            run.link = 1
        return it
    whole(story(), "events-in-order")
    it = story()
    it.truth.are_several = True
    whole(it)


def test_redelivered_messages_come_back_in_order():
    story = Story().connect()
    story.client.send(10, "again")
    story.client.send(10, "one")
    story.handler(10.1, MESSAGE, 0, "again", end="never")
    story.truth.proofs[(1, 0)] = 10
    story.truth.died(1, 1, 11)
    story.client.failed(11.1, 99, "Internal server error")
    story.handler(11.2, MESSAGE, 0, "again", worker=2, attempt=2)
    story.client.answered(11.4, 0)
    whole(story.leave(worker=2))


def test_an_outcome_may_be_late_by_the_time_of_trouble():
    story = Story().connect()
    story.client.send(10, "nobody")
    story.client.failed(24, 5, "Forbidden")
    story.truth.trouble["broker-1"].add(11, 19)
    whole(story.leave())


def late(begin, end, node="broker-1"):
    """An outcome 14 s behind its message, where 8 are allowed, and a process that
    says that it stood still."""
    story = Story().connect()
    story.client.send(10, "nobody")
    story.client.failed(24, 5, "Forbidden")
    story.truth.stood_still(node, begin, end)
    return story.leave()


def test_an_outcome_may_be_late_by_the_time_that_a_process_says_it_stood_still():
    for node in ("broker-1", "gateway-1"):
        whole(late(12, 19, node))
    whole(late(10.5, 11.5), "outcome-in-time")
    whole(late(30, 40), "outcome-in-time")
    whole(late(12, 19, "gateway-2"), "outcome-in-time")


def test_a_broker_that_says_it_stood_still_for_long_may_have_been_counted_lost():
    for end, wrong in ((16, []), (13, ["events-in-order"])):
        story = two_brokers()
        story.truth.stood_still("broker-2", 11, end)
        whole(story, *wrong)


def test_a_gateway_that_stood_still_for_a_moment_forgets_nobody():
    for end, wrong in ((95, []), (92, ["disconnect-told"])):
        story = Story().connect().message(10)
        story.truth.stood_still("gateway-1", 90, end)
        story.truth.crashes.append(91)
        whole(story, *wrong)


def test_a_moment_s_pause_ends_no_connection():
    for end, is_trouble in ((16, True), (13, False)):
        truth = Truth()
        truth.stood_still("broker-1", 11, end)
        assert truth.was_trouble("gateway-1", 12.5, 13.1) is is_trouble


def test_a_pause_is_read_from_the_line_that_tells_of_it():
    now = datetime.datetime.now(datetime.timezone.utc)
    stamp = now.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    begin, end = pause_in(f"{stamp} warn BROKER-PAUSED ms=4500")
    assert abs(end - time.monotonic()) < 1 and abs(end - begin - 4.5) < 0.001
    assert pause_in(f"{stamp} warn GATEWAY-PAUSED ms=4500")
    assert pause_in(f"{stamp} info BROKER-LISTENING workers=tcp://x") is None


# --- promises broken ------------------------------------------------------

def test_two_handlers_at_once():
    story = Story().connect().message(10, end=12.0).message(11, worker=2)
    whole(story.leave(), "one-at-a-time")


def test_disconnect_while_a_loose_message_is_handled():
    story = Story().connect().message(89, "loose", end=95.0)
    whole(story.leave(), "one-at-a-time")


def test_a_message_before_connect():
    story = Story().message(2)
    story.handler(5, CONNECT)
    whole(story.leave(), "connect-first")


def test_two_connects():
    story = usual()
    story.handler(50, CONNECT)
    whole(story, "connect-first")


def test_messages_out_of_order():
    story = Story().connect()
    for n in (0, 1):
        story.client.send(10, "one")
    story.handler(10.1, MESSAGE, 1)
    story.handler(10.4, MESSAGE, 0)
    story.client.answered(11, 0)
    story.client.answered(11, 1)
    whole(story.leave(), "events-in-order")


def test_messages_out_of_order_at_two_brokers():
    whole(two_brokers(), "events-in-order")


def test_replies_out_of_order():
    story = Story().connect().message(10, answer=False).message(10.5,
                                                                answer=False)
    story.client.answered(11, 1)
    story.client.answered(11, 0)
    whole(story.leave(), "replies-in-order")


def test_a_message_twice_without_redeliver():
    story = Story().connect().message(10)
    story.handler(15, MESSAGE, 0, attempt=2)
    whole(story.leave(), "at-most-so-often")


def test_a_message_too_often_with_redeliver():
    story = Story().connect().message(10, "again")
    for attempt in (2, 3, 4):
        story.handler(10 + attempt, MESSAGE, 0, "again", attempt=attempt)
    whole(story.leave(), "at-most-so-often")


def test_an_event_of_a_refused_client():
    story = Story().connect(status=403)
    story.client.opened = None
    whole(story.leave(), "refused-is-over")


def test_open_without_a_handlers_word():
    story = Story().connect(status=0).leave()
    whole(story, "accepted-by-handler")


def test_no_disconnect():
    whole(Story().connect().message(10), "disconnect-told")


def test_no_disconnect_long_after_a_broker_died():
    story = Story().connect().message(10)
    story.truth.crashes.append(50)
    whole(story, "disconnect-told")


def test_a_second_disconnect():
    story = usual()
    story.handler(92, DISCONNECT, worker=2)
    whole(story, "disconnect-once")


def test_a_message_behind_disconnect():
    story = Story().connect()
    story.client.send(10, "one")
    story.client.answered(12, 0)
    story.handler(10, DISCONNECT)
    story.handler(11, MESSAGE, 0)
    whole(story, "disconnect-last")


def test_a_second_answer():
    story = Story().connect().message(10).message(20)
    story.client.answered(21, 0)
    assert "one-outcome" in story.leave().verdict()


def test_an_answer_and_an_error():
    story = Story().connect().message(10)
    story.client.failed(21, 2, "Internal server error")
    assert "one-outcome" in story.leave().verdict()


def test_no_outcome():
    story = Story().connect()
    story.client.send(10, "nobody")
    whole(story.leave(), "outcome-in-time")


def test_a_late_outcome():
    story = Story().connect()
    story.client.send(10, "nobody")
    story.client.failed(24, 5, "Forbidden")
    whole(story.leave(), "outcome-in-time")


def test_a_reply_that_was_lost():
    story = Story().connect().message(10, answer=False)
    story.client.failed(13, 77, "Endpoint request timed out")
    whole(story.leave(), "reply-arrives")


def test_an_answer_that_no_handler_gave():
    story = Story().connect()
    story.client.answered(11, story.client.send(10, "one"))
    whole(story.leave(), "own-messages")


def test_words_out_of_order():
    story = Story().connect()
    story.client.hear(1, 5)
    story.client.hear(1, 4)
    whole(story.leave(), "words-in-order")


if __name__ == "__main__":
    tests = [(name, test) for name, test in vars(sys.modules[__name__]).items()
             if name.startswith("test_")]
    for name, test in tests:
        print(name.replace("_", " "), flush=True)
        test()
    print(f"{len(tests)} tests passed")
