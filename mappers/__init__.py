"""Findings to FHIR resources, by the mapping and the stage tables of a pack."""
