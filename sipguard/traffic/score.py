"""The score: from an hour of calls to features, points and reasons.

Each feature gets its points only when the confidence bound on the *innocent* side has crossed the threshold, and every
doubt about calls that are still ringing or talking goes to the account: ringing calls may yet be answered, and calls
that are up are not short. The mean duration is total talk time over ended calls, the maximum-likelihood estimate for
exponential durations of which some are still running, bounded from above.
"""

from typing import NamedTuple

from sipguard.traffic import wilson
from sipguard.traffic.profile import Profile
from sipguard.traffic.window import ABANDONED, ANSWERED, ATTEMPTS, ENDED, INVALID, SHORT, UNSUCCESSFUL, Window


class Score(NamedTuple):
    """Points, the stable words for what gave them, and the measured figures."""

    points: float
    reasons: tuple[str, ...]
    features: dict[str, float]


def score(window: Window, profile: Profile, now: float) -> Score:
    """Judge a window that was advanced to ``now``. Below the minimum number of attempts there are no points."""
    totals = window.totals
    attempts, answered, ended = totals[ATTEMPTS], totals[ANSWERED], totals[ENDED]
    talk = window.talk_seconds(now)
    features = {
        "attempts": float(attempts),
        "answered": float(answered),
        "ended": float(ended),
        "short_share": _share(totals[SHORT], answered),
        "average_duration": round(talk / ended, 1) if ended else 0.0,
        "answer_ratio": _share(answered, attempts),
        "abandoned_share": _share(totals[ABANDONED], attempts),
        "invalid_share": _share(totals[INVALID], attempts),
    }
    if attempts < profile.minimum_attempts:
        return Score(0.0, (), features)
    z = profile.confidence
    certain_ends = wilson.count_lower(ended, z)
    possibly_answered = max(0, attempts - totals[UNSUCCESSFUL])
    # An answered call may have been attempted before the window began, so shares are kept at 1.
    findings = (
        ("short-calls", profile.short_weight,
         wilson.lower(min(totals[SHORT], answered), answered, z) > profile.short_share),
        ("low-duration", profile.duration_weight,
         certain_ends > 0 and talk / certain_ends < profile.average_duration),
        ("low-answer-ratio", profile.answer_weight,
         wilson.upper(possibly_answered, attempts, z) < profile.answer_ratio),
        ("abandoned-calls", profile.abandoned_weight,
         wilson.lower(min(totals[ABANDONED], attempts), attempts, z) > profile.abandoned_share),
        ("invalid-destinations", profile.invalid_weight,
         wilson.lower(min(totals[INVALID], attempts), attempts, z) > profile.invalid_share),
        ("volume", profile.volume_weight, attempts > profile.hourly_attempts),
    )  # fmt: skip
    return Score(
        sum(weight for _, weight, crossed in findings if crossed),
        tuple(reason for reason, _, crossed in findings if crossed),
        features,
    )


def _share(part: int, whole: int) -> float:
    return round(min(1.0, part / whole), 4) if whole else 0.0
