"""FHIR as it goes over the wire: parsing, identity, references, the client and how it proves itself."""
