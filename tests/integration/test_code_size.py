# SPDX-License-Identifier: MIT
"""The two workers of docs/code-size.md do the same, before a gateway and a broker of
their own."""
import sys

from harness import BUILD, QUERY, RESULT, Client, Hoist, Worker, run, until
from test_examples import Example


def users(hoist):
    """How many connections there are whose user is Ada."""
    witness = Worker(hoist.workers, "other")
    witness.send([QUERY, 1, ["user", "Ada"], {}])
    _, _, status, rows = witness.get(RESULT)[:4]
    assert status == 200
    return len(rows)


def lets_in_by_name_and_echoes(*command):
    with Hoist(command="broker") as broker, \
            Hoist("--broker=" + broker.gateways, command="gateway") as gateway, \
            Example(broker, BUILD + "/workers/examples/" + command[0],
                    *command[1:], broker.workers):
        def is_served():
            return Client(gateway.address).opened().status == 400
        until(is_served, "somebody without a name to be refused")
        assert Client(gateway.address, "/?name=").opened().status == 400
        assert Client(gateway.address, "/?other=Ada").opened().status == 400
        ada = Client(gateway.address, "/?a=b&name=Ada").opened()
        assert ada.status == 101
        assert users(broker) == 1
        for n in range(100):
            ada.send(f'{{"action":"echo","n":{n},"text":"Grüße"}}')
        for n in range(100):
            assert ada.recv() == (1, f'{{"action":"echo","n":{n},"text":"Grüße"}}'.encode())
        Client.close_all()  # the gateway drains before the broker


def test_with_the_library():
    lets_in_by_name_and_echoes("connect", "--broker")


def test_bare():
    lets_in_by_name_and_echoes("connect_bare")


if __name__ == "__main__":
    run(sys.modules[__name__])
