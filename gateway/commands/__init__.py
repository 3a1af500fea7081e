"""The commands of `synoptic`, one module each."""
