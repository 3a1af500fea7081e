"""The bus between hops: its contract, one SQLite file, and Kafka."""
