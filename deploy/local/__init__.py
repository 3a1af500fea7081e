"""A real Kafka and a real FHIR server on this machine, from Maven artifacts: for the tests, and for `make stack`."""
