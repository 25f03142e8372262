"""Sets that are read at random while training goes on, larger than memory or not."""
