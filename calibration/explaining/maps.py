"""Brain maps: values of voxels as NIfTI files, on slices of the mean volume, and on the cortex."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from rtrecon.types import Geometry

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SLICES = 7
_RIGHT = 0.89  # of a figure: where maps end and scales begin
_WHITE = 1.2  # of the bright voxels, which then stand out from the paper
_IN_HEAD = 0.1  # of the bright voxels: what is darker is left white
_MNI_SFORM = 4  # NIfTI's code for "coordinates are those of the MNI152 template"
_VIEWS = (("left", "lateral"), ("left", "medial"), ("left", "ventral"))
VIEWS = (*_VIEWS, *(("right", view) for _, view in reversed(_VIEWS)))


@dataclass(frozen=True)
class Space:
    """Where the voxels of a mask lie.

    Attributes
    ----------
    geometry : Geometry
    voxels : int64 (n_voxels,)
        Counted with i fastest.
    mean : float32 (i, j, k)
        What is drawn beneath a map.
    template : bool
        Whether the coordinates are those of the MNI152 template: only then is it known where on a
        template's cortex a voxel lies.
    """

    geometry: Geometry
    voxels: NDArray[np.int64]
    mean: NDArray[np.float32]
    template: bool

    def image(self, values: NDArray[np.generic]) -> Any:
        """A map (n_voxels,) as an image, 0 in all other voxels."""
        volume = np.zeros(self.geometry.n_voxels, np.float32)
        volume[self.voxels] = values
        return self._image(volume.reshape(self.geometry.shape, order="F"))

    def save(self, file: Path, values: NDArray[np.generic]) -> None:
        """Write a map (n_voxels,) as a NIfTI file."""
        nib.save(self.image(values), file)

    @property
    def background(self) -> Any:
        """The mean volume as an image."""
        return self._image(self.mean)

    def cuts(self) -> list[float]:
        """Heights in mm of axial slices through the voxels."""
        at = np.array(np.unravel_index(self.voxels, self.geometry.shape, order="F"))
        z_mm = nib.affines.apply_affine(self.geometry.affine, at.T)[:, 2]
        low, high = np.percentile(z_mm, (6, 94)).tolist()
        cuts = np.linspace(low, high, SLICES).round(1)
        return [float(z) for z in cuts.clip(z_mm.min(), z_mm.max())]  # rounded, they may lie beyond

    def _image(self, volume: NDArray[np.float32]) -> Any:
        return nib.Nifti1Image(volume, self.geometry.affine)


@dataclass(frozen=True)
class Map:
    """One row of a figure of maps.

    Attributes
    ----------
    title : str
    values : float64 (n_voxels,)
        0 is not drawn.
    top : float
        Value at which the colours end; they begin at 0.
    colours : mapping of str to str
        Names and colours of labels, where the values are labels, 1 and up; else empty.
    unit : str
        Of values that are no labels, for the scale.
    """

    title: str
    values: NDArray[np.generic]
    top: float
    colours: Mapping[str, str] = field(default_factory=dict)
    unit: str = "r"

    @property
    def colour_map(self) -> Any:
        """What matplotlib draws it with, from 0 to `top`."""
        from matplotlib import colormaps
        from matplotlib.colors import ListedColormap

        # viridis ends in a yellow that hardly shows on a grey brain; inferno's dark end would, too
        return ListedColormap(list(self.colours.values())) if self.colours else colormaps["viridis"]


def map_of_labels(title: str, labels: NDArray[np.int64], colours: Mapping[str, str]) -> Map:
    """A map of labels, the first of which is 1; 0 is none of them."""
    # Half a label less: label n then lies in the middle of the n-th of equal steps of colour.
    return Map(title, np.maximum(labels - 0.5, 0), len(colours), colours)


def in_template_space(bold: Path) -> bool:
    """Whether a run says that it lies in MNI152 space: by its name, or by its header."""
    return "_space-MNI" in bold.name or int(nib.load(bold).header["sform_code"]) == _MNI_SFORM


def draw_slices(space: Space, maps: Sequence[Map]) -> "Figure":
    """A row of axial slices each map, on the mean volume."""
    from nilearn.plotting import plot_anat

    figure, grid = _grid(len(maps), 1, height=2.15)
    rows = grid[:, 0]
    bright = float(np.percentile(space.mean, 98)) or 1.0
    for axes, row in zip(rows, maps, strict=True):
        display = plot_anat(
            space.background, axes=axes, display_mode="z", cut_coords=space.cuts(), colorbar=False,
            black_bg=False, draw_cross=False, threshold=_IN_HEAD * bright, vmin=0, vmax=_WHITE * bright,
            annotate=False, figure=figure,
        )  # fmt: skip
        display.annotate(positions=False)
        for z_mm, cut in display.axes.items():  # z is a latent here: heights say what they are
            below = {"transform": cut.ax.transAxes, "ha": "center", "va": "top", "fontsize": 8}
            cut.ax.text(0.5, 0, f"{z_mm:.0f} mm", **below)
        if row.values.any():
            display.add_overlay(
                space.image(row.values), threshold=1e-6, cmap=row.colour_map, vmin=0, vmax=row.top,
                resampling_interpolation="nearest",  # slices lie askew in the scanner
            )  # fmt: skip
        axes.set_title(row.title, loc="left", fontsize=11)
    _scales(figure, rows, maps)
    return figure


def draw_cortex(space: Space, maps: Sequence[Map]) -> "Figure":
    """A row of inflated cortex (fsaverage5, which nilearn carries) each map.

    Raises
    ------
    ValueError
        The voxels do not lie in template space.
    """
    from nilearn.datasets import load_fsaverage, load_fsaverage_data
    from nilearn.plotting import plot_surf_stat_map

    if not space.template:
        raise ValueError("voxels that are not in template space have no place on its cortex")
    meshes = load_fsaverage("fsaverage5")
    sulci = load_fsaverage_data("fsaverage5", data_type="sulcal")
    figure, grid = _grid(len(maps), len(VIEWS), height=2.1, projection="3d")
    for axes, row in zip(grid, maps, strict=True):
        for hemisphere in ("left", "right"):
            values = _on_cortex(row, space, meshes, hemisphere)
            for one, (side, view) in zip(axes, VIEWS, strict=True):
                if side != hemisphere:
                    continue
                plot_surf_stat_map(
                    meshes["inflated"].parts[side], values, hemi=side, view=view,
                    bg_map=sulci.data.parts[side], bg_on_data=True, threshold=1e-6, vmin=0,
                    vmax=row.top, cmap=row.colour_map, symmetric_cbar=False, colorbar=False,
                    avg_method="median" if row.colours else "mean",
                    axes=one, figure=figure, engine="matplotlib",
                )  # fmt: skip
        axes[0].set_title(row.title, loc="left", fontsize=11)
    _scales(figure, grid[:, -1], maps)
    return figure


def _on_cortex(row: Map, space: Space, meshes: Any, hemisphere: str) -> NDArray[np.float32]:
    """A map's values on the vertices of one hemisphere, through the thickness of the cortex."""
    from nilearn.surface import vol_to_surf

    pial, white = (meshes[name].parts[hemisphere] for name in ("pial", "white_matter"))
    image = space.image(row.values)
    if row.colours:
        return vol_to_surf(image, pial, inner_mesh=white, interpolation="nearest_most_frequent")
    inside = space.image(np.ones(len(space.voxels)))
    with warnings.catch_warnings():  # of vertices all of whose voxels are outside
        warnings.filterwarnings("ignore", "Mean of empty slice", RuntimeWarning)
        return np.nan_to_num(vol_to_surf(image, pial, inner_mesh=white, mask_img=inside))


def _grid(rows: int, columns: int, height: float, **panel: Any) -> tuple["Figure", Any]:
    """A figure with room for a title above each row of maps and for its scale on the right."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 0.35 + height * rows))
    grid = figure.subplots(rows, columns, squeeze=False, subplot_kw=panel)
    top = 1 - 0.35 / (0.35 + height * rows)
    figure.subplots_adjust(0.01, 0.02, _RIGHT, top, wspace=0, hspace=0.2)
    return figure, grid


def _scales(figure: "Figure", rows: Iterable[Any], maps: Sequence[Map]) -> None:
    """Beside each map a colour bar, or the names of its labels."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.patches import Patch

    for axes, row in zip(rows, maps, strict=True):
        box = axes.get_position()
        if row.colours:
            patches = [Patch(color=colour, label=name) for name, colour in row.colours.items()]
            at = (_RIGHT, box.y0 + box.height / 2)
            figure.legend(handles=patches, loc="center left", bbox_to_anchor=at, frameon=False)
            continue
        bar = figure.add_axes((_RIGHT + 0.02, box.y0 + 0.12 * box.height, 0.012, 0.7 * box.height))
        figure.colorbar(
            ScalarMappable(Normalize(0, row.top), row.colour_map), cax=bar, label=row.unit
        )
