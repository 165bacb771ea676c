"""Counts of a service, as Prometheus reads them."""

from collections import Counter
from dataclasses import dataclass, field

__all__ = ["Figures"]


@dataclass(eq=False)
class Figures:
    """What a service has done since it began.

    Parameters
    ----------
    requests
        By route and status.
    seconds
        From request to answer, by route.
    given_up
        Requests whose client had gone before they were answered.
    """

    requests: Counter[tuple[str, int]] = field(default_factory=Counter)
    seconds: dict[str, float] = field(default_factory=dict)
    given_up: int = 0

    def count(self, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        self.requests[route, status] += 1
        self.seconds[route] = self.seconds.get(route, 0.0) + seconds

    def text(self, **gauges: float | int) -> str:
        """All of it in the text format of Prometheus, with values of this moment."""
        lines = ["# TYPE latentopt_requests_total counter"]
        for (route, status), n in sorted(self.requests.items()):
            lines.append(f'latentopt_requests_total{{route="{route}",status="{status}"}} {n}')
        lines.append("# TYPE latentopt_request_seconds_total counter")
        for route, seconds in sorted(self.seconds.items()):
            lines.append(f'latentopt_request_seconds_total{{route="{route}"}} {seconds:.6f}')
        lines += ["# TYPE latentopt_given_up_total counter"]
        lines += [f"latentopt_given_up_total {self.given_up}"]
        for name, value in gauges.items():
            lines += [f"# TYPE latentopt_{name} gauge", f"latentopt_{name} {value:g}"]
        return "\n".join(lines) + "\n"
