"""Which specimen a primary's findings were made on, and which specimens Synoptic has to describe itself."""

from dataclasses import dataclass

from mappers.identity import derived_id
from mappers.references import Resource, reference_of
from schemas.findings import Primary
from schemas.messages import ReportContext, SpecimenPart


@dataclass(frozen=True)
class SpecimenChoice:
    """`main` is the primary's first specimen; `by_part` finds one by its letter; `own` are the parts that we describe."""

    main: Resource | None
    only: Resource | None
    collected: str | None
    by_part: dict[str, Resource]
    own: tuple[tuple[str, str], ...] = ()


def choose_specimens(primary: Primary, context: ReportContext) -> SpecimenChoice:
    """The EHR's specimens of this primary by part letter and side; where it sent none, one of ours for each part."""
    if context.specimens:
        fitting = _fitting(primary, context.specimens)
        references = [reference_of(part.reference) for part in fitting]
        return SpecimenChoice(
            main=references[0] if references else None,
            only=references[0] if len(references) == 1 else None,
            collected=fitting[0].collected if fitting else None,
            by_part={part.part: reference_of(part.reference) for part in fitting if part.part},
        )
    own = tuple(
        (part, derived_id(context.report_key, "specimen", part or primary.key)) for part in primary.specimens or ("",)
    )
    own_references = {part: {"reference": f"Specimen/{identifier}"} for part, identifier in own}
    main = next(iter(own_references.values()))
    return SpecimenChoice(main, main if len(own) == 1 else None, None, own_references, own)


def _fitting(primary: Primary, parts: tuple[SpecimenPart, ...]) -> list[SpecimenPart]:
    same_side = [part for part in parts if part.side is None or part.side == primary.laterality]
    named = [part for part in same_side if part.part in primary.specimens]
    if named:
        return sorted(named, key=lambda part: primary.specimens.index(part.part or ""))
    return [part for part in same_side if part.part is None or not primary.specimens]
