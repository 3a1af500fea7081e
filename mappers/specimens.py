"""Which specimen a primary's findings were made on, and which specimens Synoptic has to describe itself."""

from dataclasses import dataclass

from mappers.identity import derived_id
from mappers.references import Resource, reference_of
from schemas.findings import Primary
from schemas.messages import ReportContext, SpecimenPart


@dataclass(frozen=True)
class SpecimenChoice:
    """`only` is the primary's specimen where it has a single one, since the tumour may be in any of several; `by_part`
    finds one by its letter; `collected` is when all of them were taken; `own` are the parts that we describe.
    """

    only: Resource | None
    collected: str | None
    by_part: dict[str, Resource]
    own: tuple[tuple[str, str], ...] = ()


def choose_specimens(primary: Primary, context: ReportContext) -> SpecimenChoice:
    """The EHR's specimens of this primary by part letter and side; where it sent none, one of ours for each part."""
    if context.specimens:
        fitting = _fitting(primary, context.specimens)
        references = [reference_of(part.reference) for part in fitting]
        dates = {part.collected for part in fitting}
        return SpecimenChoice(
            only=references[0] if len(references) == 1 else None,
            collected=dates.pop() if len(dates) == 1 else None,
            by_part={part.part: reference_of(part.reference) for part in fitting if part.part},
        )
    own = tuple(
        (part, derived_id(context.report_key, "specimen", part or primary.key)) for part in primary.specimens or ("",)
    )
    by_part = {part: {"reference": f"Specimen/{identifier}"} for part, identifier in own}
    return SpecimenChoice(next(iter(by_part.values())) if len(own) == 1 else None, None, by_part, own)


def _fitting(primary: Primary, parts: tuple[SpecimenPart, ...]) -> list[SpecimenPart]:
    same_side = [part for part in parts if part.side is None or part.side == primary.laterality]
    named = [part for part in same_side if part.part in primary.specimens]
    if named:
        return sorted(named, key=lambda part: primary.specimens.index(part.part or ""))
    return [part for part in same_side if part.part is None or not primary.specimens]
