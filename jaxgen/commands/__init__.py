"""The commands of `jaxgen`, a file each."""
