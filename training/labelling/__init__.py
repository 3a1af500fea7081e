"""The labelling rules at work on many texts: their labels, what they miss, what contradicts itself, audits."""
