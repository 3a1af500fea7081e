"""What each hop reads: for commands that look at the bus without running a hop.

Named here, and held equal to the hops by a test: importing all of them to ask takes longer than the answer.
"""

from gateway.registries.subscription import read_subscriptions
from schemas.messages import TOPIC_BUNDLES, TOPIC_DECISIONS, TOPIC_DELAYED, TOPIC_FINDINGS, TOPIC_REPORTS, TOPIC_TEXTS
from schemas.settings import Settings

HOP_INPUTS = {
    "intake": TOPIC_REPORTS,
    "extraction": TOPIC_TEXTS,
    "emission": TOPIC_FINDINGS,
    "delayed": TOPIC_DELAYED,
    "review": TOPIC_DECISIONS,
}


def hop_inputs(settings: Settings) -> dict[str, str]:
    """The hops with those of the registries; a registry whose file has faults is left to `synoptic registry check`."""
    found, _ = read_subscriptions(settings)
    return {**HOP_INPUTS, **{registry.hop: TOPIC_BUNDLES for registry in found}}


def registry_topics(settings: Settings) -> tuple[str, ...]:
    """The topics that registries have for themselves: made by whoever runs the brokers, and kept as these like."""
    found, _ = read_subscriptions(settings)
    targets = (registry.definition.deliver.kafka for registry in found)
    return tuple(dict.fromkeys(target.topic for target in targets if target is not None))
