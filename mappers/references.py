"""FHIR References and evidence extensions from our own types."""

from collections.abc import Iterable
from typing import Any

from mappers.identity import BASIS, EVIDENCE, PROBABILITY, SOURCE, rounded
from schemas.findings import Evidence
from schemas.messages import Identifier, Reference

Resource = dict[str, Any]


def reference_of(reference: Reference) -> Resource:
    """A FHIR Reference that carries the literal and the identifier, whichever are known."""
    result: Resource = {}
    if reference.literal:
        result["reference"] = reference.literal
    result["type"] = reference.type
    if reference.identifier:
        result["identifier"] = identifier_of(reference.identifier)
    return result


def identifier_of(identifier: Identifier) -> Resource:
    """A FHIR Identifier."""
    return (
        {"system": identifier.system, "value": identifier.value} if identifier.system else {"value": identifier.value}
    )


def reference_to(resource: Resource) -> Resource:
    """A literal reference to one of our own resources."""
    return {"reference": f"{resource['resourceType']}/{resource['id']}"}


def evidence_extensions(evidence: Iterable[Evidence]) -> list[Resource]:
    """One extension for each excerpt: the quote and where it stands in the source document."""
    return [
        {
            "url": EVIDENCE,
            "extension": [
                {"url": "quote", "valueString": item.quote},
                {"url": "start", "valueInteger": item.start},
                {"url": "end", "valueInteger": item.end},
                *([{"url": "page", "valueInteger": item.page}] if item.page is not None else []),
            ],
        }
        for item in evidence
    ]


def finding_extensions(
    probability: float | None, basis: str | None, source: str | None, evidence: Iterable[Evidence]
) -> list[Resource]:
    """What a reader needs to judge a value: how sure, stated or derived, by model or rules, and the words themselves."""
    extensions: list[Resource] = []
    if probability is not None:
        extensions.append({"url": PROBABILITY, "valueDecimal": rounded(probability)})
    if basis is not None:
        extensions.append({"url": BASIS, "valueCode": basis})
    if source is not None:
        extensions.append({"url": SOURCE, "valueCode": source})
    return extensions + evidence_extensions(evidence)
