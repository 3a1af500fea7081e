"""A resource store that costs nearly nothing, so that a chain into it shows what all else costs."""

import threading
from collections import OrderedDict
from collections.abc import Collection, Iterator, Sequence

from gateway.stores.resource_store import Put, Resource, Stored, Targets, reference_of
from schemas.messages import Reference

MOST = 2_000  # of some fifteen a report: all else is forgotten, or it would grow with every report


class MemoryStore:
    """Holds the latest resources and honours versions as a server does; threads share it."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._stored: OrderedDict[str, Stored] = OrderedDict()
        self._provenances: dict[str, set[str]] = {}

    def read(self, references: Collection[str]) -> dict[str, Stored]:
        """The present version of each that exists."""
        with self._guard:
            return {name: self._stored[name] for name in references if name in self._stored}

    def provenances_of(self, references: Collection[str]) -> tuple[Resource, ...]:
        """Every Provenance that targets any of them."""
        with self._guard:
            names = set().union(*(self._provenances.get(reference, ()) for reference in references))
            return tuple(self._stored[name].resource for name in sorted(names))

    def transact(self, puts: Sequence[Put], tasks: Sequence[Put] = ()) -> bool:
        """Write all, or none where any expected version is gone."""
        puts = [*puts, *tasks]
        with self._guard:
            standing = [self._stored.get(reference_of(put.resource)) for put in puts]
            if any((one.version if one else None) != put.expected for one, put in zip(standing, puts, strict=True)):
                return False
            for one, put in zip(standing, puts, strict=True):
                if one is None or one.resource != put.resource:
                    self._put(put.resource)
            return True

    def awaiting(self) -> Iterator[Stored]:
        """The Tasks that it still remembers."""
        with self._guard:
            return iter([one for name, one in self._stored.items() if name.startswith("Task/")])

    def conditions_of(self, patient: str, codes: Collection[str]) -> tuple[Resource, ...]:
        """None: no EHR keeps its own here."""
        return ()

    def look_up(self, references: Sequence[Reference]) -> Targets:
        """All as they are."""
        return Targets({reference: reference for reference in references})

    def serves_others(self) -> bool:
        """False: nothing here fails for one report."""
        return False

    def close(self) -> None:
        """Nothing is held open."""

    def _put(self, resource: Resource) -> None:
        name = reference_of(resource)
        earlier = self._stored.pop(name, None)
        self._index(name, earlier.resource if earlier else None, resource)
        self._stored[name] = Stored(resource, str(int(earlier.version) + 1 if earlier else 1))
        while len(self._stored) > MOST:
            oldest, forgotten = self._stored.popitem(last=False)
            self._index(oldest, forgotten.resource, None)

    def _index(self, name: str, before: Resource | None, after: Resource | None) -> None:
        """Note what a Provenance targets, in place of what it targeted before."""
        if not name.startswith("Provenance/"):
            return
        for target in (before or {}).get("target", []):
            names = self._provenances[target["reference"]]
            names.discard(name)
            if not names:
                del self._provenances[target["reference"]]
        for target in (after or {}).get("target", []):
            self._provenances.setdefault(target["reference"], set()).add(name)
