"""One slot, newest wins, nothing lost from the count."""

import threading

from rtrecon.mailbox import Mailbox


def test_newest_wins_and_the_rest_is_counted() -> None:
    box: Mailbox[int] = Mailbox()
    for n in range(5):
        box.put(n)
    assert box.peek() == 4
    assert box.take() == 4
    assert box.take() is None
    assert box.superseded == 4


def test_a_waiting_taker_is_woken_by_the_end() -> None:
    box: Mailbox[int] = Mailbox()
    taken: list[int | None] = []
    taker = threading.Thread(target=lambda: taken.append(box.take(timeout_s=None)))
    taker.start()
    box.close()
    taker.join(timeout=5)
    assert taken == [None]


def test_every_item_is_taken_or_counted_between_two_threads() -> None:
    box: Mailbox[int] = Mailbox()
    taken: list[int] = []

    def take_all() -> None:
        while not (box.closed and box.peek() is None):
            if (item := box.take(timeout_s=None)) is not None:
                taken.append(item)

    taker = threading.Thread(target=take_all)
    taker.start()
    for n in range(20_000):
        box.put(n)
    box.close()
    taker.join(timeout=10)
    assert taken == sorted(set(taken))
    assert taken[-1] == 19_999
    assert len(taken) + box.superseded == 20_000


def test_what_is_held_lets_go_of_all_and_counts_nothing() -> None:
    box: Mailbox[int] = Mailbox()
    box.put(1)
    box.hold(True)
    assert box.peek() is None
    box.put(2)
    assert box.take() is None
    assert box.newest == 1
    box.hold(False)
    box.put(3)
    assert (box.take(), box.superseded) == (3, 0)
