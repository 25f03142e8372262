"""Networks of GANs and captioners, as Flax modules and the dataclasses that build them."""
