"""How captions are cut into tokens."""
