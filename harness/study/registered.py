"""What a freeze registers of a study: its expectations and how they are judged, its seeds, its grid and its tuning.

Not what is said or drawn about it: comments, the order of keys, figures, and the words of the claim, which stand
beside and are shown where they change.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

from harness.study.canonical_json import canonical_json, collection
from harness.study.content import DIGITS
from harness.study.seeding import Seeds, compact
from harness.study.spec import Point, StudySpec
from harness.study.tuning import Tuning

Content = Mapping[str, Any]  # of a freeze, in JSON's types


def content_of(study: StudySpec) -> Content:
    """What of a study is registered, in JSON's types: its seeds and expectations as they are, its grid as a hash.

    Of a study with tuning the grid is that of all candidates, whichever of them has won. Settings at their defaults are
    left out, as from run ids: a default that is new changes neither.
    """
    points = list({point.key: point for row in study.rows for point in row}.values()) or study.points
    return {
        "expect": [json.loads(_normal(each.model_dump(mode="json", exclude_defaults=True))) for each in study.expect],
        "seeds": _seeds(study.written_seeds),
        "points": len(points),
        "grid": _hashed("\n".join(sorted(map(_settings, points)))),
        **({"tune": _tuning(study.tuning)} if study.tuning else {}),
    }


def digest(content: Content) -> str:
    """64 bits of the SHA-256 of what is registered; the order of the expectations does not count."""
    return _hashed(_normal({**content, "expect": sorted(map(_normal, content.get("expect", ())))}))


def differences(before: Content, now: Content) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Where a study differs from what was registered: the keys that lead there, and a clause.

    An expectation that has only moved is no difference. One that is new is compared with the frozen one at its place.
    """
    frozen: Sequence[Content] = before.get("expect", ())
    missing = Counter(map(_normal, frozen)) - Counter(map(_normal, now["expect"]))
    new = Counter(map(_normal, now["expect"])) - Counter(map(_normal, frozen))
    for index, expectation in enumerate(now["expect"]):
        text = _normal(expectation)
        if new[text]:
            new[text] -= 1
            other = frozen[index] if index < len(frozen) and missing[_normal(frozen[index])] else None
            if other is None:
                yield ("expect", index), f"expect[{index}] is not in"
            else:
                missing[_normal(other)] -= 1
                yield ("expect", index), f"expect[{index}] ({_changed(other, expectation)}) differs from"
    for index, expectation in enumerate(frozen):
        text = _normal(expectation)
        if missing[text]:
            missing[text] -= 1
            yield ("expect",), f"expect[{index}] ({_shown(expectation)}) is gone since"
    names = {"seeds": "seeds", "grid": "the grid of settings"}
    for key in sorted({*before, *now} - {"expect", "points"}):
        if before.get(key) != now.get(key):
            old, new_value = before.get(key), now.get(key)
            if key == "grid":
                old, new_value = f"{before.get('points')} points", f"{now.get('points')} points"
            change = f" (was {_shown(old)}, is {_shown(new_value)})" if old != new_value else ""
            yield ("sweep" if key == "grid" else key,), f"{names.get(key, key)}{change} differs from"


def expectation_texts(content: Content) -> Iterator[str]:
    """Each registered expectation on a line."""
    return (_shown(each) for each in content.get("expect", ()))


def _seeds(seeds: Seeds) -> Content:
    """As text, since a study may have thousands: neighbours by their ends."""
    calibration = {"calibration": compact(seeds.calibration)} if seeds.calibration else {}
    return {**calibration, "judged": compact(seeds.judged)}


def _tuning(tuning: Tuning) -> Content:
    """How winners are chosen: the candidates in their order, as it breaks ties."""
    return {
        "by": tuning.by,
        "per": ", ".join(tuning.per),
        "seeds": compact(tuning.seeds),
        "candidates": f"{len(tuning.candidates)}, {_hashed(_normal([dict(each) for each in tuning.candidates]))}",
    }


def _settings(point: Point) -> str:
    """A point's settings, the content of its files and the source of its code; not which numerics computed it."""
    settings = json.loads(point.key)
    versions = settings.pop("versions", {})
    settings["versions"] = {key: each for key, each in versions.items() if not each.startswith("numerics ")}
    return json.dumps(settings, sort_keys=True, separators=(",", ":"))


def _normal(value: Any) -> str:
    """Canonical JSON with 1 for 1.0."""
    text = canonical_json(value)
    return collection(text) or text


def _changed(before: Content, now: Content) -> str:
    """'at_least was 0.8, is 0.6'."""
    return "; ".join(
        f"{key} was {_shown(before.get(key))}, is {_shown(now.get(key))}"
        for key in sorted({*before, *now})
        if before.get(key) != now.get(key)
    )


def _shown(value: Any) -> str:
    if value is None:
        return "not given"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_shown(each)}" for key, each in value.items())
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _hashed(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:DIGITS]
