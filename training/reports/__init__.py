"""Report texts and what people, registries and annotators say of them, read from files."""
