"""The reference system's tables on real reports: what each part is worth."""
