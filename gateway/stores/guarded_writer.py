"""Writes that a FHIR server itself refuses where another was faster, on servers that guard in different ways.

Replacing is the same everywhere: If-Match with the version that was read. Creating is not. A plain PUT could overwrite
a manifest that another worker wrote meanwhile, even minutes after we had found nothing there. FHIR R5 has
`If-None-Match: *` for it (Google, LinuxForHealth, Blaze); HAPI passes over that, but checks `If-Match: W/"0"` against
whatever stands there, also a deleted version, and creates where nothing does. A server that takes If-Match by the
letter refuses that one always. So both are sent at first; where they are refused though nothing stands there, the
standard's alone. Whichever is accepted is proven once: the same write sent again must be refused.

A deleted resource keeps its version on HAPI: it is revived by If-Match with that version. HAPI creates also where an
expected version is gone for good (expunged): the answer tells, and what was written is taken back. So it is with a
resource that a server replaced unguarded before the proof; then nothing more is written.

A refusal is believed where something else stands there than was expected. A server also refuses for a lock, and some
answer 409 or 412 to what they can never take (HAPI: a reference too long for its column): the same is sent a few times
more, and then it is a rejection.
"""

import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext

from gateway.fhir.answers import REFUSED_BY_GUARD, Answer, detail_of, fault_of, lacks_target
from gateway.fhir.bundles import Entry, batch, bundle, delete, match, put, read_entries, read_entry
from gateway.fhir.client import FhirClient
from gateway.stores.authorship import unversioned
from gateway.stores.resource_store import Put, Resource, reference_of
from schemas.errors import Code, SynopticError

_STANDARD = {"ifNoneMatch": "*"}
_WIDEST = {**_STANDARD, "ifMatch": match("0")}
# The same again at first: a server refuses now and then for a lock alone.
_TRIALS = (_WIDEST, _WIDEST, _WIDEST, _STANDARD)
_FIRST_VERSION = "1"
_NOT_TAKEN_BACK = "a write went through unguarded and could not be taken back"


class RejectedTargetError(SynopticError):
    """The server rejects a write for what it refers to, and says that it does not hold that."""


class GuardedWriter:
    """Writes to one server; threads share it."""

    def __init__(self, client: FhirClient) -> None:
        """Which guard the server honours is found out by the first writes, one at a time."""
        self._client = client
        self._create_guard: Mapping[str, str] = _WIDEST
        self._proven: set[str] = set()
        self._discovery = threading.Lock()

    def write(self, puts: Sequence[Put]) -> bool:
        """Write all of them, or nothing and answer False where another was faster.

        Raises SYN-459 where the server goes on refusing what it has no cause to.
        """
        # By what this write needs: a site's first import creates for hours, and replaces nothing.
        needed = set(map(_proof, puts))
        with nullcontext() if self._proven >= needed else self._discovery:
            revived: Mapping[str, str] = {}
            for attempt, guard in enumerate(self._guards()):
                # What was deleted is revived by its version under the guard that is assumed, by the standard's alone.
                revived = revived if guard is self._create_guard else {}
                told = self._send(puts, guard, revived)
                if not isinstance(told, Answer):
                    if "create" in needed:
                        self._create_guard = guard
                    return self._verified(puts, told, revived)
                refusal = told
                if attempt:
                    self._client.rest(attempt)
                standing = self._standing(puts)
                if _has_moved(puts, standing):
                    return False
                revived = self._deleted(standing)
            raise SynopticError(Code.STORE_REJECTS, detail_of(refusal))

    def _guards(self) -> Sequence[Mapping[str, str]]:
        """What guards the creates at each attempt, as long as nothing explains that they are refused."""
        return (self._create_guard,) * len(_TRIALS) if "create" in self._proven else _TRIALS

    def _send(
        self, puts: Sequence[Put], guard: Mapping[str, str], revived: Mapping[str, str]
    ) -> Sequence[Entry] | Answer:
        """One transaction; where a guard refused it, the answer that says so."""
        entries = [put(item.resource, **_guard(item, guard, revived)) for item in puts]
        answer = self._client.post(bundle("transaction", entries), minimal=True)
        if not answer.is_success:
            _raise_unless_refused(answer)
            return answer
        answered = read_entries(answer)
        failed = [entry.answer for entry in answered if not entry.answer.is_success]
        if len(answered) != len(puts):
            raise SynopticError(Code.UNGUARDED_STORE, f"{len(answered)} of {len(puts)} entries answered")
        if failed:
            self._require_nothing_done([pair for pair in zip(puts, answered, strict=True) if pair[1].answer.is_success])
            gravest = next((one for one in failed if one.status not in REFUSED_BY_GUARD), failed[0])
            _raise_unless_refused(gravest)
            return gravest
        return answered

    def _require_nothing_done(self, claimed: Sequence[tuple[Put, Entry]]) -> None:
        """See whether entries that claim success beside a failed one were done after all."""
        found = batch(self._client, [reference_of(item.resource) for item, _ in claimed])
        done = sum(entry.version != item.expected for (item, _), entry in zip(claimed, found, strict=True))
        if done:
            raise SynopticError(Code.UNGUARDED_STORE, f"a transaction was done in part, {done} entries of it")

    def _standing(self, puts: Sequence[Put]) -> dict[str, Entry]:
        """What stands there at present."""
        names = [reference_of(item.resource) for item in puts]
        return dict(zip(names, batch(self._client, names), strict=True))

    def _deleted(self, standing: Mapping[str, Entry]) -> dict[str, str]:
        """The version of each resource that was deleted; a deletion is a version of its own."""
        names = [name for name, entry in standing.items() if entry.answer.status == 410]
        found = batch(self._client, [f"{name}/_history?_count=1" for name in names])
        latest = {name: read_entry(item) for name, entry in zip(names, found, strict=True) for item in _listed(entry)}
        return {name: entry.version for name, entry in latest.items() if entry.version is not None}

    def _verified(self, puts: Sequence[Put], entries: Sequence[Entry], revived: Mapping[str, str]) -> bool:
        """Whether each entry did what was expected of it; if not, what was written is taken back."""
        pairs = list(zip(puts, entries, strict=True))
        made_over = any(
            item.expected is None and reference_of(item.resource) not in revived and _replaced(entry, None)
            for item, entry in pairs
        )
        if made_over or any(item.expected is not None and entry.answer.status == 201 for item, entry in pairs):
            self._take_back(pairs)
            if made_over:
                raise SynopticError(Code.UNGUARDED_STORE, "a create replaced a resource, which was put back")
            return False
        self._prove(pairs, revived)
        return True

    def _take_back(self, pairs: Sequence[tuple[Put, Entry]]) -> None:
        """Delete what was created, and put back what was replaced."""
        undo = [delete(reference_of(item.resource)) for item, entry in pairs if entry.answer.status == 201]
        changed = [(item, entry.version or "") for item, entry in pairs if _replaced(entry, item.expected)]
        earlier = [f"{reference_of(item.resource)}/_history/{item.expected or _before(now)}" for item, now in changed]
        for (_, now), entry in zip(changed, batch(self._client, earlier), strict=True):
            if entry.resource is None or not entry.answer.is_success:
                raise SynopticError(Code.UNGUARDED_STORE, _NOT_TAKEN_BACK)
            undo.append(put(unversioned(entry.resource), ifMatch=match(now)))
        answer = self._client.post(bundle("transaction", undo), minimal=True)
        if not answer.is_success:
            raise SynopticError(Code.UNGUARDED_STORE, _NOT_TAKEN_BACK)

    def _prove(self, pairs: Iterable[tuple[Put, Entry]], revived: Mapping[str, str]) -> None:
        """Send the first create and the first replacement again: a server that accepts them guards nothing."""
        for item, entry in pairs:
            proof = _proof(item)
            if proof in self._proven or reference_of(item.resource) in revived or entry.version == item.expected:
                continue
            if not isinstance(self._send([item], self._create_guard, {}), Answer):
                raise SynopticError(Code.UNGUARDED_STORE, f"it accepts a stale {proof}")
            self._proven.add(proof)


def _proof(item: Put) -> str:
    """What has to be known of the server before such a write is trusted."""
    return "create" if item.expected is None else "replace"


def _raise_unless_refused(answer: Answer) -> None:
    """Raise what an unsuccessful answer means, unless a guard refused."""
    # A server that takes If-Match by the letter may answer 404 where nothing stands.
    if answer.status in REFUSED_BY_GUARD or (answer.status == 404 and answer.explains):
        return
    if lacks_target(answer):
        raise RejectedTargetError(Code.STORE_REJECTS, detail_of(answer))
    raise fault_of(answer)


def _guard(item: Put, guard: Mapping[str, str], revived: Mapping[str, str]) -> Mapping[str, str]:
    expected = item.expected or revived.get(reference_of(item.resource))
    return guard if expected is None else {"ifMatch": match(expected)}


def _replaced(entry: Entry, expected: str | None) -> bool:
    """True where another version stood there before."""
    return entry.answer.status == 200 and entry.version not in (expected, _FIRST_VERSION)


def _has_moved(puts: Sequence[Put], standing: Mapping[str, Entry]) -> bool:
    """True where something else stands there than was expected: somebody was faster, which explains a refusal."""
    found = (standing[reference_of(item.resource)] for item in puts)
    present = [entry.version if entry.answer.is_success else None for entry in found]
    return present != [item.expected for item in puts]


def _before(version: str) -> str:
    """The version before, where versions are counted."""
    return str(int(version) - 1) if version.isdecimal() else version


def _listed(history: Entry) -> Sequence[Resource]:
    """The latest version in a history."""
    listed: list[Resource] = (history.resource or {}).get("entry", [])
    return listed[:1]
