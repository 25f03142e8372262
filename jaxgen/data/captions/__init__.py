"""Sets of captioned images: words, features and the files they come in; `base` is the contract."""
