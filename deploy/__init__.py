"""How Synoptic is put on machines; no module of the product imports from here."""
