"""The Kafka bus on a real broker: the contract."""

import pytest
from bus_contract import BusContract, Buses
from kafka_setting import bus_settings, create_topic

from workers.buses.kafka import KafkaBus


class TestKafkaBus(BusContract):
    """The suite that every bus passes."""

    @pytest.fixture
    def buses(self, kafka_servers: str, topic_prefix: str) -> Buses:
        """Topics of one partition: within one alone Kafka keeps an order."""

        def topic(name: str) -> str:
            create_topic(kafka_servers, f"{topic_prefix}test.{name}")
            return f"test.{name}"

        return Buses(lambda: KafkaBus(bus_settings(kafka_servers, topic_prefix)), topic)
