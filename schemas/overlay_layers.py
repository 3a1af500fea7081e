"""Lays one file of a mapping over another, remembering of every part which file and place it came from."""

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from schemas.pack_mapping import Location
from schemas.yaml_source import Fault, line_of, nearest, plain

_BY_KEY = ("systems", "codes", "tables", "texts", "templates", "allowed", "denied", "profiles")
_WITH_CODES = ("codes", "tables")
_LISTS = ("attributes", "readings", "assumptions", "known_condition")
_PLACES = ("before", "after")
_BESIDE = "+"


class _Placed(NamedTuple):
    """A rule, with the file and the place there that it came from."""

    rule: dict[str, Any]
    file: str
    place: Location


class Layers:
    """A mapping as plain data, made of one file and what is laid over it; `faults` are of the laying itself.

    `left_out` are the slots of rules that were left out.
    """

    def __init__(self, file: str, source: Any) -> None:
        """Begin with the file that all others are laid over."""
        self.data: dict[str, Any] = plain(source)
        self.faults: list[Fault] = []
        self.left_out: set[str] = set()
        self._sources = {file: source}
        self._origins: dict[Location, tuple[str, Location]] = {(): (file, ())}
        self._file = file

    def lay(self, file: str, source: Any) -> None:
        """Lay another file over; its shape must be an Overlay's."""
        self._file = file
        self._sources[file] = source
        over: dict[str, Any] = plain(source)
        for section in _BY_KEY:
            self._merge(self.data.setdefault(section, {}), over.get(section) or {}, (section,), (section,))
        for section in _LISTS:
            held = self.data.setdefault(section, [])
            for index, item in enumerate(over.get(section) or []):
                self._origins[(section, len(held))] = (file, (section, index))
                held.append(item)
        self._lay_rules(over.get("rules") or [], over.get("without") or [])
        self.data["cases"] = over.get("cases") or []
        self._origins[("cases",)] = (file, ("cases",))

    @property
    def has_more(self) -> bool:
        """True once something is laid over the first file."""
        return len(self._sources) > 1

    def place(self, place: Location) -> tuple[str, int, Location]:
        """The file and line that a part of the whole came from, and its place there."""
        file, own = self.origin(place)
        return file, line_of(self._sources[file], own), own

    def origin(self, place: Location) -> tuple[str, Location]:
        """The file that a part of the whole came from, and its place there."""
        depth = next(depth for depth in range(len(place), -1, -1) if place[:depth] in self._origins)
        file, start = self._origins[place[:depth]]
        return file, (*start, *place[depth:])

    def _merge(self, held: dict[str, Any], over: dict[str, Any], place: Location, own: Location) -> None:
        for key, value in over.items():
            here, there = (*place, key), (*own, key)
            old = held.get(key)
            if value is None:
                if key not in held:
                    self._tell(there, f"there is nothing to remove; {nearest(key, held)}")
                held.pop(key, None)
            elif isinstance(old, dict) and isinstance(value, dict) and not _computes(old, value):
                held[key] = dict(old)
                self._merge(held[key], value, here, there)
            else:
                if isinstance(old, dict | list):
                    self._origins = {known: at for known, at in self._origins.items() if known[: len(here)] != here}
                held[key] = _beside(old, value) if place[0] in _WITH_CODES else value
                self._origins[here] = (self._file, there)

    def _lay_rules(self, rules: list[dict[str, Any]], without: list[str]) -> None:
        held = [
            _Placed(rule, *self.origin(("rules", index))) for index, rule in enumerate(self.data.get("rules") or [])
        ]
        for index, identifier in enumerate(without):
            if (at := self._position(held, identifier, ("without", index))) is not None:
                self.left_out.add(str(held.pop(at).rule["slot"]))
        names = [rule.get("id") for rule in rules]
        for index, rule in enumerate(rules):
            if names[index] in names[:index] and names[index] is not None:
                self._tell(("rules", index, "id"), f"{names[index]!r} is the id of an earlier rule of this file too")
            else:
                self._lay_rule(held, rule, ("rules", index))
        self._origins = {place: at for place, at in self._origins.items() if place[:1] != ("rules",)}
        self._origins |= {("rules", number): (one.file, one.place) for number, one in enumerate(held)}
        self.data["rules"] = [one.rule for one in held]

    def _lay_rule(self, held: list[_Placed], rule: dict[str, Any], own: Location) -> None:
        """Change a rule, take the place of one, or come as a new one."""
        body = {key: value for key, value in rule.items() if key not in _PLACES}
        known = {name: at for at, name in enumerate(_identifiers(held)) if name}
        same = [
            at for at, one in enumerate(held) if one.file != self._file and _conditions(one.rule) == _conditions(body)
        ]
        if body.get("id") in known:
            at = known[body["id"]]
            held[at] = _Placed(_laid_over(held[at].rule, body), self._file, own)
        elif not body.get("slot"):
            self._tell((*own, "id"), _unknown_rule(held, body.get("id")))
        elif same:
            held[same[0]] = _Placed(body, self._file, own)
        else:
            held.insert(self._new_position(held, rule, own), _Placed(body, self._file, own))

    def _new_position(self, held: list[_Placed], rule: dict[str, Any], own: Location) -> int:
        """Where a new rule is tried: where it says, else before the slot's rules of other files, else last of all."""
        for name, offset in zip(_PLACES, (0, 1), strict=True):
            if rule.get(name) is not None:
                at = self._position(held, rule[name], (*own, name))
                return len(held) if at is None else at + offset
        of_slot = (at for at, one in enumerate(held) if one.rule["slot"] == rule["slot"] and one.file != self._file)
        return next(of_slot, len(held))

    def _position(self, held: list[_Placed], identifier: str, own: Location) -> int | None:
        identifiers = _identifiers(held)
        if identifier in identifiers:
            return identifiers.index(identifier)
        self._tell(own, _unknown_rule(held, identifier))
        return None

    def _tell(self, own: Location, message: str) -> None:
        self.faults.append(Fault.at(self._file, self._sources[self._file], own, message))


def _identifiers(held: list[_Placed]) -> list[str]:
    """What each rule is known by: its id, else its slot where it is the only rule of it, else nothing."""
    slots = Counter(one.rule.get("slot") for one in held)
    return [str(one.rule.get("id") or (one.rule["slot"] if slots[one.rule.get("slot")] == 1 else "")) for one in held]


def _unknown_rule(held: list[_Placed], identifier: str | None) -> str:
    """What is wrong with a name that no rule has, or that several rules of a slot have to share."""
    shared = sum(one.rule.get("slot") == identifier for one in held)
    if shared:
        return (
            f"{shared} rules make {identifier!r}, and none has this id; write the whole rule, with slot and conditions"
        )
    return f"no rule with the id {identifier!r}; {nearest(str(identifier), filter(None, _identifiers(held)))}"


def _laid_over(held: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """A rule with the keys of `over`; null removes a key."""
    result = {**held}
    for key, value in over.items():
        old = held.get(key)
        if value is None:
            result.pop(key, None)
        elif isinstance(old, dict) and isinstance(value, dict) and not _computes(old, value):
            result[key] = _laid_over(old, value)
        else:
            result[key] = value
    return result


def _computes(*nodes: dict[str, Any]) -> bool:
    return any(str(key).startswith("$") for node in nodes for key in node)


def _beside(old: Any, value: Any) -> Any:
    """The codes that `value` says: in place of the old ones, or beside them where written with a plus."""
    if isinstance(value, dict):
        return {key: _beside(None, entry) for key, entry in value.items()}
    written = _texts(value)
    if not any(text.startswith(_BESIDE) for text in written):
        return value
    return [*_texts(old), *(text.removeprefix(_BESIDE) for text in written)]


def _texts(entry: Any) -> list[str]:
    return [] if entry is None else [entry] if isinstance(entry, str) else list(entry)


def _conditions(rule: dict[str, Any]) -> tuple[Any, ...]:
    """Slot, finding and conditions of a rule as written, however its values are written."""
    parts = (sorted(_pairs(rule.get(name) or {})) for name in ("when", "unless"))
    return (rule.get("slot"), rule.get("finding"), *map(tuple, parts), rule.get("where"))


def _pairs(conditions: dict[str, Any]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for name, values in conditions.items():
        yield name, tuple(sorted(map(str, values if isinstance(values, list) else [values])))
