"""A decoder's scores put into the words of its report."""

from collections.abc import Mapping, Sequence
from typing import Any

from calibration.reporting.report import Report
from calibration.scoring.ceiling import WORTH
from calibration.scoring.evaluate import ERROR
from rtrecon.artifact import Artifact

_SPOKEN = {
    "kind_top1": "kind, named first",
    "kind_two_way": "kind, two-way",
    "c_two_way": "c, two-way",
    "z_two_way": "z, two-way",
    "c_correlation": "c, correlation",
    "z_correlation": "z, correlation",
    "c_retrieval": "c, retrieval",
    "z_retrieval": "z, retrieval",
    "pixels_two_way": "pixels, two-way",
    "pixcorr": "pixels, correlation",
    "ssim": "structural similarity",
    "effnet": "EfficientNet-B1, distance",
    "swav": "SwAV, distance",
}
_NETWORKS = {
    "miniature_clip": "miniature CLIP",
    "clip": "CLIP",
    "alexnet2": "AlexNet(2)",
    "alexnet5": "AlexNet(5)",
    "inception": "Inception",
}
_IDENTIFIED = ("kind_two_way", "c_two_way", "z_two_way")
_FROM = {"kind_two_way": "what kind of thing it is", "c_two_way": "c", "z_two_way": "z"}
_MOST_NAMES = 24


def report_of(
    artifact: Artifact,
    evaluation: Mapping[str, Any],
    trust: Mapping[str, Any] | None = None,
    learning: Sequence[Mapping[str, Any]] = (),
    ceiling: Mapping[str, Any] | None = None,
) -> Report:
    """What the page says.

    Parameters
    ----------
    artifact : Artifact
    evaluation : mapping
        As `evaluate` returns it.
    trust : mapping, optional
        `held_out_kinds`, and `null` as `null_scores` returns it, where they were computed.
    learning : sequence of mapping
        Rows with runs and scores by name.
    ceiling : mapping, optional
        As `ceilings` returns it.
    """
    scores = evaluation["scores"]
    reliability = evaluation["reliability"]
    return Report(
        name=artifact.name,
        verdict=verdict(evaluation),
        nothing_decoded=evaluation["nothing_decoded"],
        about=_about(artifact, evaluation),
        scores={spoken(name): score for name, score in scores.items()},
        by_age={
            spoken(name): evaluation["by_age_s"][name]
            for name in _IDENTIFIED
            if name in evaluation["by_age_s"]
        },
        reliability=() if reliability is None else reliability["bins"],
        calibration_error=None if reliability is None else reliability["ece"],
        trust=_trust(evaluation, trust or {}),
        null={spoken(name): one for name, one in ((trust or {}).get("null") or {}).items()},
        limits=_limits(evaluation, ceiling),
        repeats={spoken(f"{name}_two_way"): one for name, one in evaluation["repeats"].items()},
        ceiling=ceiling,
        learning=[{spoken(key): value for key, value in row.items()} for row in learning],
        learned=[spoken(name) for name in _IDENTIFIED if learning and name in learning[0]],
        left_out={spoken(name): why for name, why in evaluation["left_out"].items()},
        facts=_facts(artifact, evaluation),
    )


def verdict(evaluation: Mapping[str, Any]) -> str:
    """The first line of a report."""
    if evaluation["nothing_decoded"]:
        return (
            "Nothing was decoded: no score is better than when pictures are exchanged between "
            "trials. Whatever reconstructions look like, they do not come from this brain."
        )
    scores, p = evaluation["scores"], evaluation["family_p"]
    found = [name for name in _IDENTIFIED if name in scores and p[name] <= ERROR]
    if not found:
        best = min(p, key=lambda name: p[name])
        low, high = scores[best]["null"]
        return (
            f"Hardly anything was decoded: two pictures are not told apart; only {spoken(best)} is "
            f"{scores[best]['value']:.2f}, where {low:.2f} to {high:.2f} is to be expected of nothing."
        )
    best = max(found, key=lambda name: scores[name]["interval"][0])
    two, (low, high) = scores[best]["value"], scores[best]["interval"]
    line = (
        f"Decoded: of two pictures the one that was seen is found in {_percent(two)} "
        f"({_percent(low)} to {_percent(high)}; chance {_percent(scores[best]['chance'])}), from "
        f"{_FROM[best]}."
    )
    if "kind_top1" in scores:
        top = scores["kind_top1"]
        line += f" The kind is named rightly in {_percent(top['value'])} (chance {_percent(top['chance'])})."
    return line


def spoken(name: str) -> str:
    """A score's name as people say it."""
    if name.endswith("_two_way_of_originals"):
        return f"{spoken(name.removesuffix('_of_originals'))}, among originals"
    if name in _SPOKEN:
        return _SPOKEN[name]
    network = name.removesuffix("_two_way")
    said = _NETWORKS.get(network, network)
    return f"{said}, two-way" if name.endswith("_two_way") else said


def _about(artifact: Artifact, evaluation: Mapping[str, Any]) -> str:
    return (
        f"{evaluation['trials']} trials of {', '.join(evaluation['runs'])}, none of which was fitted "
        f"on; decoders of {artifact.about.get('trials', '?')} trials; generator "
        f"{artifact.generator.name}."
    )


def _trust(evaluation: Mapping[str, Any], trust: Mapping[str, Any]) -> list[str]:
    lines = []
    if found := evaluation["reliability"]:
        low, high = found["ece_interval"]
        lines.append(
            f"Confidence: off by {found['ece']:.2f} on average; {low:.2f} to {high:.2f} would come of so "
            "few trials even if it kept its word."
        )
    if held_out := trust.get("held_out_kinds"):
        without, known = held_out["identification"], held_out["known"]
        low, high = held_out["drop_interval"]
        lines += [
            f"Kinds never met in fitting are told apart in {_percent(without['value'])} of pairs, and in "
            f"{_percent(known['value'])} by decoders that have met them: a drop of {held_out['drop']:.2f} "
            f"({low:.2f} to {high:.2f}); chance 50 %.",
            f"{_percent(held_out['nearest_training'])} of such trials are decoded as something of a kind that "
            f"was fitted on and not shown ({_percent(held_out['nearest_training_known'])} once all kinds were "
            f"fitted; {_percent(held_out['nearest_training_chance'])} by chance).",
        ]
    for name, null in (trust.get("null") or {}).items():
        low, high = evaluation["scores"][name]["null"]
        line = f"Null decoder, {spoken(name)}: {null['shipped']:.2f}"
        if "shuffled" in null:
            least, most = null["range"]
            line += (
                f"; of {len(null['shuffled'])} other shuffles {null['mean']:.2f} on average, "
                f"{least:.2f} to {most:.2f}"
            )
        lines.append(f"{line} (without an effect {low:.2f} to {high:.2f}).")
    return lines


def _limits(evaluation: Mapping[str, Any], ceiling: Mapping[str, Any] | None) -> list[str]:
    """What noise leaves to be decoded, as far as repeated pictures tell."""
    if ceiling is None:
        return [
            "No picture was shown twice, neither in the test nor in what was fitted on: how much noise "
            "leaves to be decoded is not known."
        ]
    held_against = "a single showing" if ceiling["averaged"] == 1 else "a picture's mean showing"
    lines = [
        f"Noise ceiling of {held_against}, the share of a voxel's variance that any model could explain, "
        f"from {ceiling['pictures']} pictures that {ceiling['source']} repeats "
        f"({ceiling['showings']} showings; in brackets, what comes of the same with pictures exchanged):"
    ]
    lines += [
        f"{name} voxels ({one['voxels']:,}): median {_percent(one['median'])} "
        f"({_percent(one['median_exchanged'])}); {_percent(one['above'])} "
        f"({_percent(one['above_exchanged'])}) of them above {_percent(WORTH)}."
        for name, one in ceiling["regions"].items()
    ]
    for name, one in evaluation["repeats"].items():
        own = evaluation["scores"].get(f"{name}_two_way")
        beside = "" if own is None else f"; its original is identified in {_percent(own['value'])}"
        low, high = one["interval"]
        lines.append(
            f"What is decoded of {name} from one showing identifies another showing in "
            f"{_percent(one['value'])} of pairs ({_percent(low)} to {_percent(high)}; chance "
            f"{_percent(one['chance'])}){beside}."
        )
    if evaluation["repeats"]:
        lines.append(
            "Both showings are noisy and an original is not: a decoder that misses nothing identifies "
            "originals better than showings."
        )
    return lines


def _facts(artifact: Artifact, evaluation: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    about = dict(artifact.about)
    versions = dict(about.pop("versions", {}))
    data = {
        "fitted on": ", ".join(about.pop("runs", ())) or about.pop("dataset", ""),
        "tested on": ", ".join(evaluation["runs"]),
        "volumes": f"{' x '.join(map(str, artifact.shape))} voxels, TR {artifact.tr_s:g} s",
        "voxels in the region": len(artifact.voxels),
        "voxels read for c": int(artifact.c.voxels.sum()),
        "voxels read for z": 0 if artifact.z is None else int(artifact.z.voxels.sum()),
        "candidates": _names(artifact.candidates),
    }
    tie = artifact.generator
    settings = {
        "generator": f"{tie.name} ({tie.identity[:12]})",
        "z": " x ".join(map(str, tie.latent)),
        "c": " x ".join(map(str, tie.conditioning)),
        "response": _said(vars(artifact.response)),
        "evidence": _said(vars(artifact.model)),
        "confidence": _said(vars(artifact.confidence)),
    }
    few = {k: v for k, v in about.items() if v != {} and not (isinstance(v, dict) and len(v) > 7)}
    simple = {key: _said(value) for key, value in few.items()}
    return {"Data": data, "Settings": settings | simple, "Versions": versions}


def _names(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _said(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_said(one)}" for key, one in value.items())
    return f"{value:.3g}" if isinstance(value, float) else str(value)
