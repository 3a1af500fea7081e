"""One process of the emission hop over real servers, which stops or kills itself where it is told; see processes.py.

Each line of standard input names a point, its pass and a signal. Standard output gets a JSON line when the hops run,
when a point is armed and when it is reached, and for each point that is passed after that; SIGTERM drains.
"""

import json
import os
import signal
import sys
import threading
from contextlib import closing
from typing import Any

import httpx
from killer import NONE, Killer
from wrong_emissions import VARIANTS

from gateway.composition import build_bus, open_hops
from gateway.service import Service, signals_stop
from schemas.logs import configure
from schemas.settings import Settings
from workers.buses import kafka_transactions
from workers.runner import Runner


class Told(Killer):
    """Is told its point by another process, and tells it where this one goes after that."""

    def listen(self) -> None:
        """Take orders; drain when nobody is left to give any."""
        for line in sys.stdin:
            self.arm(**json.loads(line))
            self.say(armed=self.point)
        os.kill(os.getpid(), signal.SIGTERM)

    def at(self, point: str) -> None:
        """Pass a point."""
        went_on = self.reached
        super().at(point)
        if went_on:
            self.say(went_on=point)

    def say(self, **what: Any) -> None:
        """Write one line."""
        os.write(self.report, json.dumps(what).encode() + b"\n")


def writes_report(request: httpx.Request) -> bool:
    """Whether a request writes a report: a transaction with its manifest."""
    if request.headers.get("Content-Type") != "application/fhir+json":
        return False
    body = json.loads(request.content)
    if body["type"] != "transaction":
        return False
    return any(entry["resource"]["resourceType"] == "Provenance" for entry in body["entry"])


def watch_requests(killer: Killer) -> None:
    """Make each writing request a point, before it leaves and after its answer came."""
    plain = httpx.Client.send

    def send(client: httpx.Client, request: httpx.Request, **keywords: Any) -> httpx.Response:
        is_write = writes_report(request)
        if is_write:
            killer.at("write sent")
        try:
            answer = plain(client, request, **keywords)
        except httpx.ConnectError:
            killer.at("no connection")
            raise
        if is_write:
            answer.read()
            killer.at("write answered")
        return answer

    httpx.Client.send = send  # type: ignore[method-assign,assignment]


def watch_commits(killer: Killer) -> None:
    """Make the end of each transaction of the bus a point: when all is sent and nothing decided, and when it is."""
    plain = kafka_transactions.BoundedProducer.commit_transaction

    def commit(producer: kafka_transactions.BoundedProducer) -> None:
        killer.at("outputs sent")
        plain(producer)
        killer.at("committed")

    kafka_transactions.BoundedProducer.commit_transaction = commit  # type: ignore[method-assign,assignment]


def main() -> None:
    """Run until SIGTERM."""
    settings, variant = Settings(**json.loads(sys.argv[1])), sys.argv[2]
    told = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what is logged goes with the errors
    configure(settings.logging)
    killer = Told(NONE, 0, told)
    watch_requests(killer)
    watch_commits(killer)
    with open_hops(["emission"], settings) as product, closing(build_bus(settings.bus)) as bus:
        hops = [VARIANTS[variant](settings)] if variant in VARIANTS else product
        runners = [Runner(hop, bus, settings.bus) for hop in hops]
        service = Service(runners, lambda: None)
        with signals_stop(service):
            threading.Thread(target=killer.listen, daemon=True).start()
            killer.say(running=True)
            service.run()


if __name__ == "__main__":
    main()
