"""Sets of images, a file each; `base` is their contract."""
