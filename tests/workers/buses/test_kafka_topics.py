"""Topics on the broker: created where they are missing, and told at once where they are not to be had."""

import threading

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka_setting import bus_settings, create_topic, values_of

from schemas.errors import Code, SynopticError
from schemas.messages import TOPIC_BUNDLES, TOPIC_REPORTS
from schemas.topics import TOPIC_STATES, TOPICS
from workers.buses.bus import Outgoing
from workers.buses.kafka import KafkaBus

# A wait for this would outlast any test run: what does not wait shows by ending.
NEVER_SECONDS = 400
KAFKAS_DEFAULT_BYTES = "1048588"


@pytest.fixture
def open_bus(kafka_servers, topic_prefix):
    """Opens buses and closes them."""
    opened = []

    def open_one(**changes):
        opened.append(KafkaBus(bus_settings(kafka_servers, topic_prefix, replication_factor=1, **changes)))
        return opened[-1]

    yield open_one
    for bus in opened:
        bus.close()


@pytest.fixture
def admin(kafka_servers):
    """An administrator's connection."""
    client = KafkaAdminClient(bootstrap_servers=kafka_servers)
    yield client
    client.close()


def test_missing_topics_are_created_as_listed(open_bus, admin, topic_prefix):
    """The first hop that starts creates all of Synoptic's topics, with partitions, retention and size as listed."""
    open_bus(partitions=3).subscribe("group", [TOPIC_REPORTS])
    names = [topic_prefix + topic.name for topic in TOPICS]
    described = {topic["name"]: topic for topic in admin.describe_topics(names)}
    assert {name: len(topic["partitions"]) for name, topic in described.items()} == dict.fromkeys(names, 3)
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    found = admin.describe_configs(resources)["topic"]
    values = {name: {key: item["value"] for key, item in configs.items()} for name, configs in found.items()}
    for topic in TOPICS:
        configured = values[topic_prefix + topic.name]
        assert configured["max.message.bytes"] == str(33 * 1024 * 1024)
        if topic.compacted:
            assert configured["cleanup.policy"] == "compact"
        else:
            assert configured["retention.ms"] == str(topic.retention_days * 86_400_000)
            assert configured["segment.ms"] == str(86_400_000)


def test_existing_topics_are_left_as_they_are(open_bus, kafka_servers, topic_prefix, admin):
    """A topic that an operator made keeps its partitions."""
    create_topic(kafka_servers, topic_prefix + TOPIC_REPORTS, 5)
    open_bus(partitions=2).publish([Outgoing(TOPIC_BUNDLES, b"{}"), Outgoing(TOPIC_REPORTS, b"{}")])
    described = {topic["name"]: topic for topic in admin.describe_topics([topic_prefix + TOPIC_REPORTS])}
    assert len(described[topic_prefix + TOPIC_REPORTS]["partitions"]) == 5


def test_creators_may_race(open_bus):
    """Several processes that start at the same time create the topics once and all go on."""
    buses = [open_bus() for _ in range(4)]
    start = threading.Barrier(len(buses))
    failures = []

    def publish(bus):
        start.wait()
        try:
            bus.publish([Outgoing(TOPIC_REPORTS, b"{}")])
        except SynopticError as error:
            failures.append(error)

    threads = [threading.Thread(target=publish, args=(bus,)) for bus in buses]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert values_of(buses[0], TOPIC_REPORTS) == [b"{}"] * 4


@pytest.mark.parametrize("create", [True, False])
def test_unknown_topic_is_told_at_once(open_bus, kafka_servers, topic_prefix, create):
    """Neither a publisher nor a consumer nor a commit waits for a topic that nobody will make."""
    create_topic(kafka_servers, f"{topic_prefix}in")
    bus = open_bus(request_timeout_seconds=NEVER_SECONDS, create_topics=create)
    bus.publish([Outgoing("in", b"a")])
    subscription = bus.subscribe("group", ["in"])
    batch = subscription.poll(1, 20)
    for attempt in (
        lambda: bus.subscribe("group", ["in", "nowhere"]),
        lambda: bus.publish([Outgoing("in", b"b"), Outgoing("nowhere", b"b")]),
        lambda: subscription.commit(batch, [Outgoing("nowhere", b"a")]),
    ):
        with pytest.raises(SynopticError) as caught:
            attempt()
        assert caught.value.code is Code.NO_TOPIC
        assert caught.value.detail == "nowhere"
    assert values_of(bus, "in") == [b"a"]


def test_creation_may_be_forbidden(open_bus, admin):
    """Without bus.create_topics a missing topic is the operator's to make."""
    bus = open_bus(create_topics=False)
    with pytest.raises(SynopticError) as caught:
        bus.subscribe("group", [TOPIC_REPORTS])
    assert caught.value.code is Code.NO_TOPIC
    assert list(bus.read(TOPIC_STATES)) == []
    assert bus.lag("group", [TOPIC_REPORTS]) == {TOPIC_REPORTS: 0}


def test_topic_too_small_for_a_message_is_unfit(open_bus, admin, topic_prefix):
    """A topic that refuses what the settings allow ends the program: no later attempt would succeed."""
    small = {"num_partitions": 1, "replication_factor": 1, "configs": {"max.message.bytes": KAFKAS_DEFAULT_BYTES}}
    admin.create_topics({f"{topic_prefix}small": small}, wait_for_metadata=True)
    bus = open_bus()
    with pytest.raises(SynopticError) as caught:
        bus.publish([Outgoing("small", b"a"), Outgoing("small", bytes(2_000_000))])
    assert caught.value.code is Code.NO_TOPIC
    assert list(bus.read("small")) == []
    bus.publish([Outgoing("small", b"b")])
    assert values_of(bus, "small") == [b"b"]
