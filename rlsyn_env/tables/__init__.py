"""Tables: schema, encoder, splits, reading and writing, datasets."""
