"""What is on the network, as it comes and goes."""

from contextlib import closing

from rtrecon.streams import Source, Sources
from rtrecon.types import Geometry
from rtrecon.wire import ScannerOutlet


def test_streams_come_and_go(stream_name: str, toy_geometry: Geometry) -> None:
    def until(sources: Sources, there: bool) -> tuple[Source, ...]:
        for _ in range(100):
            seen = sources.after(0.2)
            if any(source.name == stream_name for source in seen) is there:
                return seen
        raise AssertionError(sources.seen)

    with closing(Sources()) as sources:
        outlet = ScannerOutlet(stream_name, toy_geometry)
        (source,) = (s for s in until(sources, True) if s.name == stream_name)
        assert source.geometry is not None
        assert source.geometry.shape == (6, 5, 4)
        del outlet
        until(sources, False)
