"""A broker with passwords and TLS: each way in, and each refusal told apart from a broker that is not there."""

import logging

import pytest
from kafka_setting import bus_settings

from deploy.local.certificates import CertificateAuthority
from deploy.local.java_process import free_port
from deploy.local.kafka_cluster import KafkaCluster
from schemas.errors import Code, Kind, SynopticError
from schemas.topics import TOPIC_STATES
from workers.buses.bus import Outgoing
from workers.buses.kafka import KafkaBus

PATIENCE_SECONDS = 2


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A broker of this module's own, with a listener for each way in."""
    with KafkaCluster(tmp_path_factory.mktemp("secured"), secured=True) as started:
        yield started


@pytest.fixture
def ways(cluster, tmp_path):
    """The settings of each way in."""
    security = cluster.security
    token_file = tmp_path / "token"
    token_file.write_text(security.token() + "\n")
    tls = {"ca_file": security.ca_file}
    certificate = {"certificate_file": security.client.certificate, "key_file": security.client.key}
    return {
        "password": tls
        | {"bootstrap_servers": security.scram_servers, "security_protocol": "SASL_SSL"}
        | {"username": security.username, "password": security.password},
        "certificate": tls | certificate | {"bootstrap_servers": security.mutual_servers, "security_protocol": "SSL"},
        "token": tls
        | {"bootstrap_servers": security.bearer_servers, "security_protocol": "SASL_SSL"}
        | {"sasl_mechanism": "OAUTHBEARER", "token_file": token_file},
    }


def refusal(prefix: str, way: dict, patience: float = PATIENCE_SECONDS) -> SynopticError:
    """What a bus with these settings says when it publishes."""
    bus = KafkaBus(bus_settings(way["bootstrap_servers"], prefix, request_timeout_seconds=patience, **way))
    try:
        with pytest.raises(SynopticError) as caught:
            bus.publish([Outgoing(TOPIC_STATES, b"{}", b"key")])
        return caught.value
    finally:
        bus.close()


@pytest.mark.parametrize("name", ["password", "certificate", "token"])
def test_ways_in(ways, topic_prefix, name):
    """Password over TLS, client certificate and token each carry publish, consume and read."""
    way = ways[name]
    bus = KafkaBus(bus_settings(way["bootstrap_servers"], topic_prefix, replication_factor=1, **way))
    bus.publish([Outgoing(TOPIC_STATES, b"{}", b"key")])
    subscription = bus.subscribe("group", [TOPIC_STATES])
    batch = subscription.poll(1, 20)
    subscription.commit(batch, [])
    assert [record.value for record in batch.records] == [b"{}"]
    assert [record.value for record in bus.read(TOPIC_STATES)] == [b"{}"]
    assert bus.lag("group", [TOPIC_STATES]) == {TOPIC_STATES: 0}
    bus.close()


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("password", {"password": "wrong"}),
        ("password", {"username": "nobody"}),
        ("password", {"sasl_mechanism": "PLAIN"}),
        ("password", {"security_protocol": "PLAINTEXT"}),
        ("password", {"security_protocol": "SASL_PLAINTEXT"}),
        ("password", {"security_protocol": "SSL"}),
        ("password", {"ca_file": None}),
        ("certificate", {"certificate_file": None, "key_file": None}),
    ],
)
def test_refusals(ways, topic_prefix, name, change):
    """What the broker refuses ends the program with SYN-512: waiting mends no password and no certificate."""
    error = refusal(topic_prefix, ways[name] | change)
    assert error.code is Code.BUS_REFUSES
    assert error.code.kind is Kind.FATAL


def test_untrusted_authority_is_refused(ways, topic_prefix, tmp_path):
    """A broker whose certificate another authority signed is not spoken to, and the other way round."""
    other = CertificateAuthority(tmp_path / "other")
    issued = other.issue("client")
    assert refusal(topic_prefix, ways["password"] | {"ca_file": other.ca_file}).code is Code.BUS_REFUSES
    foreign = {"certificate_file": issued.certificate, "key_file": issued.key}
    assert refusal(topic_prefix, ways["certificate"] | foreign).code is Code.BUS_REFUSES


@pytest.mark.parametrize("fault", [{"audience": "another"}, {"lifetime_seconds": -60}])
def test_bad_token_is_refused(cluster, ways, topic_prefix, tmp_path, fault):
    """A token for another audience, or an expired one, is refused."""
    bad = tmp_path / "bad"
    bad.write_text(cluster.security.token(**fault))
    assert refusal(topic_prefix, ways["token"] | {"token_file": bad}).code is Code.BUS_REFUSES


def test_user_without_rights_is_refused(cluster, ways, topic_prefix):
    """A user who may sign in and do nothing is refused as well."""
    security = cluster.security
    powerless = {"username": security.powerless_username, "password": security.powerless_password}
    assert refusal(topic_prefix, ways["password"] | powerless).code is Code.BUS_REFUSES


@pytest.mark.parametrize(
    ("name", "change", "named"),
    [
        ("password", {"password": None}, "username or password"),
        ("token", {"token_file": None}, "token_file"),
    ],
)
def test_what_is_missing_here_is_named(ways, topic_prefix, name, change, named):
    """A missing password or token is told before anything is sent."""
    error = refusal(topic_prefix, ways[name] | change)
    assert error.code is Code.BUS_REFUSES
    assert named in error.detail


@pytest.mark.parametrize("change", [{"password": "wrong"}, {"security_protocol": "PLAINTEXT"}])
def test_refusal_beside_an_absent_broker(ways, topic_prefix, change):
    """Of several addresses one may be away: what another refuses is a refusal all the same."""
    way = ways["password"] | change
    servers = f"127.0.0.1:{free_port()},{way['bootstrap_servers']}"
    # The absent one is tried again and again, which takes of the time in which a busy machine shakes hands.
    error = refusal(topic_prefix, way | {"bootstrap_servers": servers}, patience=5 * PATIENCE_SECONDS)
    assert error.code is Code.BUS_REFUSES


def test_absent_broker_is_waited_for(ways, topic_prefix):
    """Where nothing listens, the error is one to try again after, whatever the security settings."""
    for way in (ways["password"], {}):
        error = refusal(topic_prefix, way | {"bootstrap_servers": f"127.0.0.1:{free_port()}"})
        assert error.code is Code.BUS_UNAVAILABLE
        assert error.code.kind is Kind.RETRY


def test_secrets_stay_out_of_errors_and_logs(ways, topic_prefix, caplog):
    """Neither the password nor the user's name stands in the error or in what the library logs at our levels."""
    way = ways["password"] | {"password": "wrong-secret-4711"}
    with caplog.at_level(logging.INFO):
        error = refusal(topic_prefix, way)
    assert "4711" not in str(error) + error.detail + caplog.text
    assert way["username"] not in str(error)
