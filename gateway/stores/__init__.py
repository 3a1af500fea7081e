"""Where coded resources go, and what may be written there: a FHIR server or a folder."""
