"""Prints the kafka-acls.sh commands that give each principal of deploy/access.yaml its rights, and no other.

python -m deploy.kafka_acls --bootstrap-server kafka-1.example:9093 --command-config admin.properties [--prefix site-]
"""

import argparse
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

from schemas.frozen import Frozen

FILE = Path(__file__).with_name("access.yaml")


class Principal(Frozen):
    """What one user of the cluster may do; transactional ids and groups are named as `bus.topic_prefix` leaves them."""

    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    transactional_ids: tuple[str, ...] = ()


def load_access(file: Path = FILE) -> dict[str, Principal]:
    """The principals by name."""
    listed = yaml.safe_load(file.read_text(encoding="utf-8"))["principals"]
    return {name: Principal.model_validate(rights) for name, rights in listed.items()}


def commands(connection: str, prefix: str = "") -> Iterator[str]:
    """The commands, one a line; a right is on how a name begins where more follows: an instance, or a registry."""
    for name, rights in load_access().items():
        start = f"kafka-acls.sh {connection} --add --allow-principal {shlex.quote(f'User:synoptic-{name}')}"
        for option, topics in (("read", rights.read), ("write", rights.write)):
            for topic in topics:
                yield f"{start} --operation {option} --topic {shlex.quote(prefix + topic)}"
        for group in rights.groups:
            begins = " --resource-pattern-type prefixed" if group.endswith("_") else ""
            yield f"{start} --operation read --group {shlex.quote(prefix + group)}{begins}"
        for identifier in rights.transactional_ids:
            pattern = f"--transactional-id {shlex.quote(prefix + identifier)} --resource-pattern-type prefixed"
            yield f"{start} --operation write {pattern}"


def main() -> None:
    """Print the commands for the cluster that the arguments name."""
    parser = argparse.ArgumentParser(description="Print the kafka-acls.sh commands for Synoptic's principals.")
    parser.add_argument("--bootstrap-server", required=True)
    parser.add_argument("--command-config", required=True, help="the administrator's client settings")
    parser.add_argument("--prefix", default="", help="bus.topic_prefix")
    given = parser.parse_args()
    server, settings = shlex.quote(given.bootstrap_server), shlex.quote(given.command_config)
    for line in commands(f"--bootstrap-server {server} --command-config {settings}", given.prefix):
        sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
