"""What a generator's input holds: projection of pictures into it, and directions in it."""
