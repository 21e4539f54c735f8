"""A registry of Prometheus metrics, as the hub and the proxy each have one of their own."""

from collections.abc import Iterator

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Metric

CONTENT_TYPE = CONTENT_TYPE_LATEST


class Registry(CollectorRegistry):
    """Without the time at which each series began, which the library tells as a gauge more for each counter."""

    def collect(self) -> Iterator[Metric]:
        """The metrics, without their `_created` samples."""
        for metric in super().collect():
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric
