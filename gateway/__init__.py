"""FHIR in and FHIR out: intake, documents, emission, stores and the command line."""
