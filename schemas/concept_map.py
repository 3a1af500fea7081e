"""Code tables as FHIR R4 ConceptMaps, and ConceptMaps as code tables: what terminology teams keep their mappings in.

Out goes one group for each table and code system: the table's keys as codes of a system of their own, and what they are
mapped to. In comes either that again, or a map from a standard system to the facility's own: its targets then stand beside
the standard codes, wherever the mapping has them ("+lab|123").
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from schemas.errors import Code, SynopticError
from schemas.pack_mapping import Coding, Mapping, as_tuple

CANONICAL = "https://synoptic.example/fhir"
CODES_TABLE = "codes"
_SAME = frozenset(("equal", "equivalent", "relatedto", "wider", "subsumes"))
_KEYS = f"{CANONICAL}/CodeSystem/mapping-key"


@dataclass
class Imported:
    """What a ConceptMap says to a mapping: entries of an overlay by section, and what it says that is not taken."""

    systems: dict[str, str] = field(default_factory=dict)
    codes: dict[str, list[str]] = field(default_factory=dict)
    tables: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    passed_over: list[str] = field(default_factory=list)


def export_concept_map(mapping: Mapping, pack: str, version: str, table: str | None = None) -> dict[str, Any]:
    """The ConceptMap of all tables and codes, or of one table."""
    tables = {CODES_TABLE: mapping.codes, **mapping.tables}
    chosen = tables if table is None else {table: tables[table]}
    name = pack if table is None else f"{pack}-{table}"
    return {
        "resourceType": "ConceptMap",
        "url": f"{CANONICAL}/ConceptMap/{quote(name)}",
        "version": version,
        "name": "".join(part.capitalize() for part in name.replace(".", "-").split("-")),
        "title": f"Code tables of the pack {pack}" if table is None else f"Code table {table} of the pack {pack}",
        "status": "active",
        "group": [group for key, rows in chosen.items() for group in _groups(mapping, pack, key, rows)],
    }


def _groups(mapping: Mapping, pack: str, table: str, rows: dict[str, Any]) -> Iterator[dict[str, Any]]:
    by_system: dict[str, list[dict[str, Any]]] = {}
    for key, entry in rows.items():
        codings = [mapping.coding(text) for text in as_tuple(entry)]
        for system in dict.fromkeys(coding.system for coding in codings):
            targets = [_target(coding) for coding in codings if coding.system == system]
            by_system.setdefault(system, []).append({"code": key, "target": targets})
    for system, elements in by_system.items():
        yield {"source": f"{_KEYS}/{pack}/{quote(table)}", "target": system, "element": elements}


def _target(coding: Coding) -> dict[str, str]:
    display = {"display": coding.display} if coding.display else {}
    return {"code": coding.code, **display, "equivalence": "equivalent"}


def import_concept_map(resource: Any, mapping: Mapping, pack: str) -> Imported:
    """What the map says to the mapping; raises SYN-614 where it is no R4 ConceptMap."""
    if not isinstance(resource, dict) or resource.get("resourceType") != "ConceptMap":
        raise SynopticError(Code.BAD_CONCEPT_MAP, "it is no resource of the type ConceptMap")
    found = Imported()
    try:
        for group in resource.get("group", []):
            _Group(group, mapping, pack, found).read()
    except (KeyError, TypeError, AttributeError):
        raise SynopticError(Code.BAD_CONCEPT_MAP, "a group, element or target lacks its system or code") from None
    return found


class _Group:
    """One group on its way into an overlay."""

    def __init__(self, group: dict[str, Any], mapping: Mapping, pack: str, found: Imported) -> None:
        self._group = group
        self._mapping = mapping
        self._found = found
        self._source = str(group["source"])
        own = f"{_KEYS}/{pack}/"
        self._table = unquote(self._source.removeprefix(own)) if self._source.startswith(own) else None
        self._short = self._short_name(str(group["target"]))

    def read(self) -> None:
        """Take each target that means the same, and tell of the others."""
        for element in self._group["element"]:
            texts = []
            for target in element.get("target", []):
                if target.get("equivalence", "equivalent") not in _SAME:
                    why = f"{target.get('equivalence')} is no code for the same"
                    self._found.passed_over.append(f"{element['code']} -> {target.get('code', 'none')}: {why}")
                    continue
                display = f"|{target['display']}" if target.get("display") else ""
                texts.append(f"{self._short}|{target['code']}{display}")
            if texts:
                self._take(str(element["code"]), texts)

    def _take(self, code: str, texts: list[str]) -> None:
        if self._table is not None:
            self._add(self._table, code, texts)
            return
        places = [place for place, coding in self._mapping.shipped_codings() if coding[:2] == (self._source, code)]
        if not places:
            self._found.passed_over.append(f"{code}: the mapping sends no such code of {self._source}")
        for place in dict.fromkeys(places):
            table, key = (CODES_TABLE, str(place[1])) if place[0] == CODES_TABLE else (str(place[1]), str(place[2]))
            self._add(table, key, [f"+{text}" for text in texts])

    def _add(self, table: str, key: str, texts: list[str]) -> None:
        rows = self._found.codes if table == CODES_TABLE else self._found.tables.setdefault(table, {})
        rows[key] = [*rows.get(key, []), *texts]

    def _short_name(self, system: str) -> str:
        """The mapping's short name of a system; a new one gets the first word of its host, or of its last step."""
        known = {url: name for name, url in {**self._mapping.systems, **self._found.systems}.items()}
        if system not in known:
            parts = urlsplit(system)
            words = [step for step in (*parts.path.rsplit("/", 1)[1:], parts.netloc.partition(".")[0]) if step]
            plain = "".join(sign for sign in (words or ["own"])[0].lower() if sign.isalnum()) or "own"
            while plain in known.values():
                plain += "x"
            self._found.systems[plain] = system
            return plain
        return known[system]
