"""The fault suite: runs killed, files damaged, disks filled, parsers and flags fed with rubbish."""
