"""What crosses Lab Streaming Layer, in both directions: the contract of docs/wire.md.

LSL has no authentication, so whatever is read here is checked before anything is built on it.
"""

import json
import math
from typing import Any

import numpy as np
import pylsl
from numpy.typing import NDArray

from rtrecon.errors import BadStream
from rtrecon.network import check_claim, expose
from rtrecon.printable import printable
from rtrecon.types import Event, Geometry, Marker, Times, Volume, read_only

FORMAT = "rtrecon-volume-1"
VOLUME_TYPE = "fMRI"
MARKER_TYPE = "Markers"
TAKEN_TYPE = "Taken"
VIEW_TYPE = "View"
HEADER = 4  # values before the voxels: number % 2**15, number // 2**15, two reserved (0)
_WORD = 1 << 15  # what an int16 and a float32 both hold exactly
_LSL_FORMAT = {"int16": pylsl.cf_int16, "float32": pylsl.cf_float32}
_OF_SCANNER = "-markers"
MAX_EDGE, MAX_VOXELS = 1024, 1 << 24  # of a volume, wherever it comes from
_MAX_TEXT = 4096
_MAX_ECHOES = 16
_BUFFER_S = 90.0  # more than the minute's cut that is promised to lose nothing
_BUFFER_BYTES = 256e6
_FIELD_TYPES: dict[str, tuple[type, ...]] = {
    "trial_type": (str,), "stim_file": (str,), "caption": (str,),
    "onset_s": (int, float), "duration_s": (int, float), "volumes": (int,),
}  # fmt: skip


def marker_stream(name: str) -> str:
    """Name of the marker stream that belongs to the volume stream `name`."""
    return f"{name}-markers"


def marker_source(scanner: str) -> str:
    """Source id of the marker stream of the scanner whose volumes have the source id `scanner`."""
    return f"{scanner}{_OF_SCANNER}"


def scanner_of(marker_source: str) -> str:
    """Source id of the scanner whose own marker stream has this one; empty: it is no scanner's."""
    return marker_source.removesuffix(_OF_SCANNER) if marker_source.endswith(_OF_SCANNER) else ""


def taken_stream(name: str) -> str:
    """Name of the stream on which the receiver of a paced stream `name` says what it has taken."""
    return f"{name}-taken"


def view_stream(name: str) -> str:
    """Name of the stream on which the session of the volume stream `name` tells its views."""
    return f"{name}-view"


def buffer_s(geometry: Geometry) -> int:
    """Seconds of volumes that a sender keeps of what cannot be sent.

    A minute and a half or 256 MB, but never under 4 volumes: with a queue of one sample `pull_chunk`
    ignores its timeout for ever (FACTS: int(rate x buffer) <= 1), and overflow drops the oldest.
    """
    rate = geometry.speed / geometry.tr_s
    affordable = _BUFFER_BYTES / (geometry.n_voxels * np.dtype(geometry.dtype).itemsize * rate)
    return math.ceil(max(4 / rate, min(_BUFFER_S, affordable)))


def room_s(geometry: Geometry) -> int:
    """Seconds of volumes that a receiver has room for.

    After a cut all that the sender and the network kept comes at once, and what is sent from then
    on. On a busy machine it may all be there before the first is read, so that room for as much as
    the sender keeps would be too little by one.
    """
    return 2 * buffer_s(geometry)


def volume_info(
    name: str, geometry: Geometry, source_id: str, paced: bool = False, acquired_from: str = ""
) -> pylsl.StreamInfo:
    """The description under which volumes are sent.

    `acquired_from` says what the stamps are made of: "header", "arrival", or nothing where
    they need no saying.

    The rate is declared, since an irregular stream makes liblsl allocate 129 samples on each
    side; there is no element a voxel, since that would be megabytes of XML.
    """
    info = pylsl.StreamInfo(
        name,
        VOLUME_TYPE,
        HEADER + geometry.n_voxels,
        geometry.speed / geometry.tr_s,
        _LSL_FORMAT[geometry.dtype],
        source_id,
    )
    encoding = info.desc().append_child("encoding")
    encoding.append_child_value("format", FORMAT)
    encoding.append_child_value("header", str(HEADER))
    encoding.append_child_value("order", "i fastest")
    about = info.desc().append_child("geometry")
    about.append_child_value("shape", " ".join(map(str, geometry.shape)))
    about.append_child_value("affine", " ".join(repr(float(x)) for x in geometry.affine.ravel()))
    about.append_child_value("tr_s", repr(geometry.tr_s))
    about.append_child_value("speed", repr(geometry.speed))
    for field in ("slice_times_s", "echo_times_s"):
        if times := getattr(geometry, field):
            about.append_child_value(field, " ".join(repr(float(t)) for t in times))
    # pyxdf would otherwise spread the stamps evenly over the volumes that did arrive
    timing = info.desc().append_child("synchronization")
    if acquired_from:
        timing.append_child_value("acquired_from", acquired_from)
    timing.append_child_value("can_drop_samples", "true")
    if paced:
        info.desc().append_child_value("paced", "true")
    return info


def lsl_format(geometry: Geometry) -> int:
    """What LSL calls the format of these volumes."""
    return _LSL_FORMAT[geometry.dtype]


def is_paced(info: pylsl.StreamInfo) -> bool:
    """Whether the sender of a volume stream waits for what its receiver has taken."""
    return info.desc().child_value("paced") == "true"


def marker_info(name: str, source_id: str) -> pylsl.StreamInfo:
    """The description under which the markers of the volume stream `name` are sent."""
    return pylsl.StreamInfo(
        marker_stream(name), MARKER_TYPE, 1, pylsl.IRREGULAR_RATE, pylsl.cf_string, source_id
    )


def taken_info(name: str, uid: str) -> pylsl.StreamInfo:
    """The description under which a receiver says what it took of the volume stream `name`.

    `uid` is that of the one outlet it listens to: what is left of an earlier one says nothing.
    """
    return pylsl.StreamInfo(
        taken_stream(name), TAKEN_TYPE, 2, pylsl.IRREGULAR_RATE, pylsl.cf_int32, taken_source(uid)
    )


def taken_source(uid: str) -> str:
    """Source id of the stream that says what was taken of the outlet `uid`."""
    return f"{uid}-taken"


def geometry_of(info: pylsl.StreamInfo) -> Geometry:
    """What a volume stream says of itself, believed only as far as it agrees with itself.

    Raises
    ------
    BadStream
        A field is missing, malformed, out of bounds or at odds with the channel count.
    """
    about = info.desc().child("geometry")
    encoding = info.desc().child("encoding")
    if (version := encoding.child_value("format")) != FORMAT:
        raise _bad(info, "format", version, f"this program reads {FORMAT}")
    if (header := encoding.child_value("header")) != str(HEADER):
        raise _bad(info, "header", header, f"must be {HEADER}")
    i, j, k = (int(n) for n in _numbers(info, "shape", 3, 1, MAX_EDGE))
    affine = np.array(_numbers(info, "affine", 16, -1e6, 1e6)).reshape(4, 4)
    if abs(np.linalg.det(affine[:3, :3])) < 1e-9 or tuple(affine[3]) != (0, 0, 0, 1):
        raise _bad(
            info, "affine", about.child_value("affine"), "must be invertible, last row 0 0 0 1"
        )
    (tr_s,) = _numbers(info, "tr_s", 1, 0.01, 100)
    (speed,) = _numbers(info, "speed", 1, 1e-3, 1e4)
    slice_times = _numbers(info, "slice_times_s", k, 0, 100, optional=True)
    n_echoes = min(len(about.child_value("echo_times_s").split()), _MAX_ECHOES)
    echo_times = _numbers(info, "echo_times_s", n_echoes, 1e-4, 1, optional=True)
    geometry = Geometry(
        (i, j, k), read_only(affine), tr_s, _dtype(info), speed,
        tuple(slice_times), tuple(echo_times),
    )  # fmt: skip
    expected = HEADER + geometry.n_voxels
    if geometry.n_voxels > MAX_VOXELS or info.channel_count() != expected:
        raise _bad(
            info,
            "channel count",
            info.channel_count(),
            f"the shape {i} x {j} x {k} needs {expected}",
        )
    return geometry


def sample_of(number: int, data: NDArray[np.generic], geometry: Geometry) -> NDArray[np.generic]:
    """One volume as LSL sends it: (1, HEADER + n_voxels), i fastest, of the stream's dtype."""
    sample = np.zeros((1, HEADER + geometry.n_voxels), geometry.dtype)
    sample[0, :2] = number % _WORD, number // _WORD
    sample[0, HEADER:] = data.ravel(order="F")
    return sample


def volume_of(sample: NDArray[np.generic], geometry: Geometry, times: Times) -> Volume:
    """The volume in one received sample (HEADER + n_voxels,).

    Raises
    ------
    BadStream
        The header is not a volume number.
    """
    low, high = (float(x) for x in sample[:2])
    if not (low.is_integer() and high.is_integer() and 0 <= low < _WORD and 0 <= high < _WORD):
        raise BadStream(f"volume header ({low:g}, {high:g}) is no volume number: see docs/wire.md")
    data = sample[HEADER:].reshape(geometry.shape, order="F")
    return Volume(int(low) + int(high) * _WORD, read_only(data), times)


def text_of(marker: Marker) -> str:
    """A marker as the one JSON object that is sent; what is empty or unknown is left out."""
    given: dict[str, object] = {"event": marker.event.value}
    for key in ("trial_type", "stim_file", "caption"):
        if value := getattr(marker, key):
            given[key] = value
    for key in ("onset_s", "duration_s"):
        if not math.isnan(value := getattr(marker, key)):
            given[key] = value
    if marker.volumes is not None:
        given["volumes"] = marker.volumes
    return json.dumps(given)


def marker_of(text: str, stamp: float) -> Marker:
    """A received line understood: a JSON object, or a plain trial type.

    Raises
    ------
    BadStream
        Too long, or a JSON object that breaks docs/wire.md.
    """
    if not text or len(text) > _MAX_TEXT:
        raise BadStream(f"marker of {len(text)} characters: 1 to {_MAX_TEXT} are read")
    if not text.startswith("{"):
        return Marker(Event.TRIAL, trial_type=text, stamp=stamp)
    try:
        given = json.loads(text)
        event = Event(given.pop("event", "trial"))
        return Marker(event, stamp=stamp, **_fields(given))
    except (ValueError, TypeError, RecursionError) as error:
        raise BadStream(
            f"marker {text[:80]!r} is not understood ({error}): see docs/wire.md"
        ) from error


def _fields(given: dict[str, object]) -> dict[str, Any]:
    """The known fields of a JSON marker with their types checked; others are left to their senders."""
    fields: dict[str, Any] = {}
    for key in given.keys() & _FIELD_TYPES.keys():
        value, kinds = given[key], _FIELD_TYPES[key]
        if not isinstance(value, kinds) or isinstance(value, bool):
            raise TypeError(f"{key} = {value!r}")
        if isinstance(value, (int, float)) and not -1e7 < value < 1e7:
            raise ValueError(f"{key} = {value!r}")
        fields[key] = value
    return fields


class ScannerOutlet:
    """The two streams of one scanner, real or simulated. Owned by one thread.

    Parameters
    ----------
    name : str
        Of the volume stream; the markers' is `marker_stream(name)`.
    geometry : Geometry
    source_id : str, optional
        Stays the same over restarts, so that a receiver finds the source again.
    paced : bool
        Asks the receiver to say what it has taken; who sends then waits for it (docs/wire.md).
    acquired_from : str, optional
        What the volumes' stamps are made of: "header" or "arrival".

    Raises
    ------
    BadStream
        Volumes as large and as often as that are more than LSL can take.
    """

    def __init__(
        self,
        name: str,
        geometry: Geometry,
        source_id: str = "",
        paced: bool = False,
        acquired_from: str = "",
    ) -> None:
        source = source_id or f"rtrecon-{name}"
        self.geometry = geometry
        info = volume_info(name, geometry, source, paced, acquired_from)
        check_claim(info, buffer_s(geometry))
        self._volumes = pylsl.StreamOutlet(info, max_buffered=buffer_s(geometry))
        self._markers = pylsl.StreamOutlet(marker_info(name, marker_source(source)))
        expose(name, "the person's brain volumes")
        expose(marker_stream(name), "what the person is shown")

    def wait_for_receiver(self, timeout_s: float) -> bool:
        """Whether somebody takes both streams within the time given."""
        deadline = pylsl.local_clock() + timeout_s
        for outlet in (self._volumes, self._markers):
            if not outlet.wait_for_consumers(max(0.0, deadline - pylsl.local_clock())):
                return False
        return True

    @property
    def uid(self) -> str:
        """What tells the volume outlet from all others, of before and after too."""
        return str(self._volumes.get_info().uid())

    @property
    def has_receiver(self) -> bool:
        """Whether anybody listens to either stream."""
        return bool(self._volumes.have_consumers() or self._markers.have_consumers())

    def send_volume(self, number: int, data: NDArray[np.generic], stamp: float) -> None:
        """Send one volume, (i, j, k), stamped with the end of its acquisition (LSL clock, s)."""
        self._volumes.push_chunk(sample_of(number, data, self.geometry), stamp)

    def send_marker(self, marker: Marker, stamp: float) -> None:
        """Send one marker, stamped with the moment it speaks of (LSL clock, s)."""
        self._markers.push_sample([text_of(marker)], stamp)

    def send_text(self, content: bytes, stamp: float) -> None:
        """Send on the marker stream what need not be a marker: so receivers are put to the test."""
        self._markers.push_sample([content], stamp)


def _dtype(info: pylsl.StreamInfo) -> str:
    for dtype, lsl_format in _LSL_FORMAT.items():
        if info.channel_format() == lsl_format:
            return dtype
    raise _bad(info, "channel format", info.channel_format(), "volumes are int16 or float32")


def _numbers(
    info: pylsl.StreamInfo,
    field: str,
    count: int,
    low: float,
    high: float,
    optional: bool = False,
) -> list[float]:
    text = info.desc().child("geometry").child_value(field)
    if optional and not text:
        return []
    try:
        values = [float(word) for word in text.split()]
    except ValueError:
        values = []
    if len(values) != count or not all(low <= x <= high for x in values):
        raise _bad(info, field, text, f"must be {count} number(s) from {low:g} to {high:g}")
    return values


def _bad(info: pylsl.StreamInfo, field: str, value: object, way_out: str) -> BadStream:
    name, shown = printable(info.name()), printable(str(value)[:80])
    return BadStream(f"stream '{name}': {field} is '{shown}': {way_out} (docs/wire.md)")
