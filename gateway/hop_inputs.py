"""What each hop reads: for commands that look at the bus without running a hop.

Named here, and held equal to the hops by a test: importing all of them to ask takes longer than the answer.
"""

from schemas.messages import TOPIC_DECISIONS, TOPIC_DELAYED, TOPIC_FINDINGS, TOPIC_REPORTS, TOPIC_TEXTS

HOP_INPUTS = {
    "intake": TOPIC_REPORTS,
    "extraction": TOPIC_TEXTS,
    "emission": TOPIC_FINDINGS,
    "delayed": TOPIC_DELAYED,
    "review": TOPIC_DECISIONS,
}
