"""Documents to text: every format a report comes in, its hostile kinds, and OCR."""
