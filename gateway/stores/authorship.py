"""Who wrote a stored resource: Synoptic marks each with a digest of its content, so that a person's edit shows.

The mark is an extension, which an editor keeps: a resource without it was written by somebody else, and one whose
content no longer gives the digest was changed since. Meta does not count, nor a narrative that is made of the content,
since servers rewrite them; one with words of its own is a person's.
"""

from collections.abc import Iterable

from gateway.stores.resource_store import Resource
from mappers.identity import EXTENSIONS, digest
from mappers.variables import MACHINE_LABEL, UNCERTAIN_LABEL

WRITTEN_DIGEST = f"{EXTENSIONS}/written-digest"
STATED_AGAIN = f"{EXTENSIONS}/stated-again"
STORE_META = frozenset(["versionId", "lastUpdated", "source"])
_OWN_EXTENSIONS = frozenset([WRITTEN_DIGEST, STATED_AGAIN])
_VERIFIER = "verifier"
_STATEMENT = frozenset(["resourceType", "code", "bodySite", "component", "dataAbsentReason"])
_WITHDRAWN = "entered-in-error"
_UNCOUNTED = frozenset(["meta", "text", "extension"])
_OWN_WORDS = "additional"


def stamp(resource: Resource) -> Resource:
    """The resource with the mark that Synoptic wrote exactly this."""
    mark = {"url": WRITTEN_DIGEST, "valueString": _content_digest(resource)}
    return {**resource, "extension": [*_other_extensions(resource), mark]}


def stated_again(resource: Resource, version: str) -> Resource:
    """The resource with a note that one more report states it, as of the version that stood there.

    It is for the store alone: by the new version that it makes, whoever read an earlier one is refused.
    """
    return {**resource, "extension": [*resource["extension"], {"url": STATED_AGAIN, "valueString": version}]}


def is_stamped(resource: Resource) -> bool:
    """True where Synoptic wrote the resource as it stands."""
    if has_own_words(resource):
        return False
    marks = [item for item in resource.get("extension", []) if item.get("url") == WRITTEN_DIGEST]
    return [item.get("valueString") for item in marks] == [_content_digest(resource)]


def has_own_words(resource: Resource) -> bool:
    """True where the narrative says more than the elements do, as only a person writes it."""
    return bool(resource.get("text", {}).get("status") == _OWN_WORDS)


def is_same(one: Resource, other: Resource) -> bool:
    """True where two resources say the same, whoever wrote them."""
    return _content_digest(one) == _content_digest(other)


def agrees(offered: Resource, standing: Resource) -> bool:
    """True where both state the same of the same: code, value, components and place; neither is taken back."""

    def stated(resource: Resource) -> Resource:
        said = {key: value for key, value in resource.items() if key in _STATEMENT or key.startswith("value")}
        return {**said, "withdrawn": is_withdrawn(resource)}

    return digest(stated(offered)) == digest(stated(standing))


def is_withdrawn(resource: Resource) -> bool:
    """True where the resource is marked as entered in error."""
    if resource.get("active") is False:
        return True
    verification = resource.get("verificationStatus", {}).get("coding", [])
    return resource.get("status") == _WITHDRAWN or any(coding.get("code") == _WITHDRAWN for coding in verification)


def _code(label: Resource) -> tuple[str | None, str | None]:
    return label.get("system"), label.get("code")


def with_labels(resource: Resource, standing: Resource) -> Resource:
    """The resource with the security labels and tags that stand in the store and are not Synoptic's own to take away."""
    meta = dict(resource.get("meta", {}))
    for element in ("security", "tag"):
        given = meta.get(element, [])
        known = {_code(label) for label in (*given, MACHINE_LABEL, UNCERTAIN_LABEL)}
        added = [label for label in standing.get("meta", {}).get(element, []) if _code(label) not in known]
        if added:
            meta[element] = [*given, *added]
    return {**resource, "meta": meta} if meta else resource


def with_additions(manifest: Resource, standing: Resource) -> Resource:
    """The manifest with what others added to the one that stands: verifiers, extensions, a narrative of their own."""
    agents = [agent for agent in standing.get("agent", []) if _is_verifier(agent) and agent not in manifest["agent"]]
    extensions = [one for one in standing.get("extension", []) if not one.get("url", "").startswith(f"{EXTENSIONS}/")]
    added = [one for one in extensions if one not in manifest["extension"]]
    words = {"text": standing["text"]} if has_own_words(standing) else {}
    return {
        **manifest,
        **words,
        "extension": [*manifest["extension"], *added],
        "agent": [*manifest["agent"], *agents],
    }


def unversioned(resource: Resource) -> Resource:
    """The resource without what the store put in its meta, its elements in their order: published again, same bytes."""
    meta = {key: value for key, value in resource.get("meta", {}).items() if key not in STORE_META}
    kept = {**resource, "meta": meta} if meta else resource
    return {key: value for key, value in kept.items() if key != "meta" or meta}


def verified(provenances: Iterable[Resource]) -> frozenset[str]:
    """The references that a person's verification targets."""
    return frozenset(
        target.get("reference", "")
        for provenance in provenances
        if any(map(_is_verifier, provenance.get("agent", [])))
        for target in provenance.get("target", [])
    )


def _is_verifier(agent: Resource) -> bool:
    return any(coding.get("code") == _VERIFIER for coding in agent.get("type", {}).get("coding", []))


def _content_digest(resource: Resource) -> str:
    content = {key: value for key, value in resource.items() if key not in _UNCOUNTED}
    return digest({**content, "extension": _other_extensions(resource)})


def _other_extensions(resource: Resource) -> list[Resource]:
    return [item for item in resource.get("extension", []) if item.get("url") not in _OWN_EXTENSIONS]
