"""Rows of the captions' table that are of `jaxgen.metrics.truth`, where there are scenes."""

from jaxgen.metrics.captions.base import SHARE, CaptionMetric

true = CaptionMetric(
    "true", "entirely true", "higher", None, order=50, form=SHARE, while_training=True
)
facts_told = CaptionMetric(
    "facts_told", "facts told", "higher", None, order=51, form=SHARE, while_training=True
)
