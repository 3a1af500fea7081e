"""What no client can be made of, or the broker refuses, names its keys; blanks around addresses do not matter."""

import pytest
from kafka import errors
from kafka_setting import bus_settings, create_topic, values_of

from deploy.local.certificates import CertificateAuthority
from deploy.local.java_process import free_port
from schemas.errors import Code, Kind, SynopticError
from schemas.settings import BusSettings
from workers.buses.bus import Outgoing
from workers.buses.kafka import KafkaBus
from workers.buses.kafka_clients import client_arguments, meaning

WAIT_SECONDS = 10


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"session_timeout_seconds": 2}, "bus.session_timeout_seconds"),
        ({"session_timeout_seconds": 3000, "poll_interval_seconds": 4000}, "bus.session_timeout_seconds"),
        ({"transaction_timeout_seconds": 3600}, "bus.transaction_timeout_seconds"),
    ],
)
def test_times_that_the_broker_refuses(kafka_servers, topic_prefix, changes, key):
    """A time outside of the broker's limits is a fault of the settings: no later attempt would succeed."""
    create_topic(kafka_servers, f"{topic_prefix}in")
    bus = KafkaBus(bus_settings(kafka_servers, topic_prefix, **changes))
    with pytest.raises(SynopticError) as caught:
        bus.subscribe("group", ["in"]).poll(1, WAIT_SECONDS)
    assert caught.value.code is Code.BAD_SETTINGS
    assert caught.value.detail.startswith(f"{key}: ")
    bus.close()


def test_too_few_brokers_are_waited_for(kafka_servers, topic_prefix):
    """A broker of the cluster may be away for a moment when the topics are created: that is tried again."""
    bus = KafkaBus(bus_settings(kafka_servers, topic_prefix, replication_factor=3))
    with pytest.raises(SynopticError) as caught:
        bus.subscribe("group", ["synoptic.diagnostic-reports"])
    assert caught.value.detail == errors.InvalidReplicationFactorError.__name__
    assert caught.value.code.kind is Kind.RETRY


def test_blanks_between_addresses(kafka_servers, topic_prefix):
    """Addresses may be written with blanks and a comma at the end, as `doctor` and the settings read them."""
    create_topic(kafka_servers, f"{topic_prefix}in")
    bus = KafkaBus(bus_settings(f" 127.0.0.1:{free_port()} , {kafka_servers} ,", topic_prefix))
    bus.publish([Outgoing("in", b"a")])
    assert values_of(bus, "in") == [b"a"]
    bus.close()


@pytest.mark.parametrize("wrong", ["ca_file", "certificate_file", "key_file"])
@pytest.mark.parametrize("content", [None, "no certificate"])
def test_files_of_tls_that_cannot_be_read(tmp_path, wrong, content):
    """A file that is absent or holds something else is a fault of the settings: no broker has refused anything."""
    authority = CertificateAuthority(tmp_path / "authority")
    issued = authority.issue("client")
    files = {"ca_file": authority.ca_file, "certificate_file": issued.certificate, "key_file": issued.key}
    file = tmp_path / "wrong"
    if content is not None:
        file.write_text(content)
    with pytest.raises(SynopticError) as caught:
        client_arguments(BusSettings(security_protocol="SSL", **(files | {wrong: file})))
    assert caught.value.code is Code.BAD_SETTINGS
    assert f"bus.{wrong}" in caught.value.detail


def test_meanings_hold_no_text():
    """An error of the library is named by its kind alone: its text may name what it was about."""
    assert meaning(errors.KafkaTimeoutError("Patient/4711")).detail == "KafkaTimeoutError"
