"""The shape of overlay.yaml: what a facility has otherwise than the pack's mapping, laid over it key by key.

    systems, codes, tables, texts,               a key takes the place of the shipped one, null removes it; tables and
    templates, allowed, denied, profiles         templates are laid over key by key; a code written "+system|code"
                                                 stands beside the shipped codes, not for them
    attributes, readings, assumptions,           come after the shipped ones
    known_condition
    rules                                        with the `id` of a shipped rule (its slot, where that has no other
                                                 rule and it no id): its keys are laid over that rule;
                                                 with the same slot, finding and conditions: in its place;
                                                 else a new one: `before` or `after` a rule's id, else first of its slot
    without                                      ids of shipped rules that do not hold here
    cases                                        the overlay's own

schemas/overlay_loader.py lays the file over the mapping and checks what comes of it as one.
"""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from schemas.frozen import Frozen
from schemas.messages import ReportContext
from schemas.pack_mapping import Assumption, Case, Location, OneOrMore, OwnProfile, Reading, Rule

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{0,63}$")]
CodeChoice = Literal["snomed", "ajcc"]


class Facility(Frozen):
    """Whose reports an overlay is for: one of these has to fit."""

    organizations: tuple[str, ...] = Field(
        default=(), description="the sender: system|value of its identifier, or a reference such as Organization/42"
    )
    report_systems: tuple[str, ...] = Field(default=(), description="the system of the report's own identifier")

    def fits(self, context: ReportContext) -> bool:
        """True for a report that this sender sent, or that carries a number of its."""
        if context.report_identifier.system in self.report_systems:
            return True
        sender = context.organization
        if sender is None:
            return False
        named = f"{sender.identifier.system or ''}|{sender.identifier.value}" if sender.identifier else None
        return named in self.organizations or (sender.literal or "") in self.organizations

    def faults(self) -> Iterator[tuple[Location, str]]:
        """Senders that no report can have."""
        if not self.organizations and not self.report_systems:
            yield (), "fits no report: name organizations or report_systems, or leave it out for all reports"
        for index, name in enumerate(self.organizations):
            if re.fullmatch(r"[^|]*\|.+|\S+/\S+", name) is None:
                yield ("organizations", index), f"expected system|value or Organization/id, found {name!r}"


class OverlayRule(Rule):
    """A rule of an overlay; one that changes a shipped rule gives no more than its id and what is different."""

    slot: str = Field(default="", description="the resource that the rule makes; may be left out with a known id")
    before: str | None = Field(default=None, description="the id of a shipped rule that this one is tried before")
    after: str | None = Field(default=None, description="the id of a shipped rule that this one is tried after")


class Overlay(Frozen):
    """overlay.yaml; all but the first keys are partial."""

    overlay: Name = Field(description="the overlay's name")
    title: str
    version: str
    pack: str = Field(description="the pack whose mapping this is laid over")
    facility: Facility | None = Field(default=None, description="whose reports; left out: all")
    use_codes: CodeChoice | None = Field(default=None, description="for T, N, M; left out: the setting mapping.codes")
    systems: dict[str, str | None] = Field(default_factory=dict)
    attributes: tuple[str, ...] = ()
    codes: dict[str, OneOrMore | None] = Field(default_factory=dict, description="+system|code adds to the shipped")
    tables: dict[str, dict[str, OneOrMore | None] | None] = Field(
        default_factory=dict, description="+system|code adds to the shipped"
    )
    texts: dict[str, dict[str, str | None] | None] = Field(default_factory=dict)
    readings: tuple[Reading, ...] = ()
    assumptions: tuple[Assumption, ...] = ()
    templates: dict[str, dict[str, Any] | None] = Field(default_factory=dict)
    rules: tuple[OverlayRule, ...] = ()
    without: tuple[str, ...] = Field(default=(), description="ids of shipped rules that do not hold here")
    allowed: dict[str, tuple[str, ...] | None] = Field(default_factory=dict)
    denied: dict[str, str | None] = Field(default_factory=dict)
    known_condition: tuple[str, ...] = ()
    profiles: dict[str, OwnProfile | None] = Field(default_factory=dict, description="the facility's own profiles")
    cases: tuple[Case, ...] = ()
