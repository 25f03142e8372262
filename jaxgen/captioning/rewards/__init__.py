"""What a caption earns in self-critical training: a file each."""
