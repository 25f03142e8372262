"""The encoders that come with jaxgen, by name."""

from jaxgen.nn.encoders.base import Encoder
from jaxgen.nn.encoders.efficientnet_lite import lite0
from jaxgen.nn.encoders.resnet import resnet50, resnet101
from jaxgen.nn.encoders.vgg import vgg16

ENCODERS: dict[str, Encoder] = {
    encoder.name: encoder for encoder in (lite0, vgg16, resnet50, resnet101)
}
