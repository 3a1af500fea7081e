"""The list of topics."""

from pathlib import Path

import yaml

from schemas import messages, topics

REPOSITORY = Path(__file__).resolve().parents[2]


def test_operators_list_is_the_same():
    """deploy/topics.yaml says what the code says."""
    listed = yaml.safe_load((REPOSITORY / "deploy" / "topics.yaml").read_text(encoding="utf-8"))["topics"]
    assert listed == [topic.model_dump() for topic in topics.TOPICS]


def test_every_topic_of_the_messages_is_listed():
    """No topic that a hop reads or writes is missing, so none is without zone and retention."""
    named = {value for name, value in vars(messages).items() if name.startswith("TOPIC_")}
    assert {topic.name for topic in topics.TOPICS} == named | {topics.TOPIC_STATES}
    assert {topic.name for topic in topics.TOPICS if topic.compacted} == topics.COMPACTED == {topics.TOPIC_STATES}
