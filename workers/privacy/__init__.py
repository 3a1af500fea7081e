"""De-identification, surrogates and sealing: no identifier gets past the first step."""
