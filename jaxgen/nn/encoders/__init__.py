"""Networks that turn photographs into features; `base` says what an encoder is.

`known` has those that come with jaxgen by name. Their weights are not in here: a package ships
EfficientNet-Lite0's, files of torchvision's hold the others' (`jaxgen.data.photographs.weights`).
"""

from typing import Literal

EncoderName = Literal["lite0", "vgg16", "resnet50", "resnet101"]
"""Of those that come with jaxgen."""
