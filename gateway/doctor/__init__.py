"""What `synoptic doctor` looks at, each check in one line."""
