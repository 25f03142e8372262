"""From a folder of pictures to a packed set."""
