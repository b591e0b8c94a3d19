"""The confidence below which a decision is better not made."""

import numpy as np

from langid.evaluation.threshold import choose_threshold, threshold_text, thresholds


def test_the_threshold_gives_the_wanted_error_rate_and_no_higher_one_is_needed() -> None:
    random = np.random.default_rng(1)
    confidences = random.random(1500)
    right = random.random(1500) < confidences  # calibrated
    for rate in (0.01, 0.05, 0.1):
        threshold = choose_threshold(confidences, right, rate)
        wrong = ~right[confidences >= threshold]
        assert wrong.mean() <= rate
        lower = confidences[confidences < threshold]
        assert all((~right[confidences >= value]).mean() > rate for value in lower)
    assert choose_threshold(confidences, right, 0.6) == confidences.min()


def test_equal_confidences_are_accepted_together_or_not_at_all() -> None:
    confidences, right = np.array([0.9, 0.8, 0.8, 0.8]), np.array([True, True, False, False])
    assert choose_threshold(confidences, right, 0.4) == 0.9
    assert choose_threshold(confidences, right, 0.5) == 0.8


def test_no_threshold_gives_a_rate_that_the_most_confident_decisions_miss() -> None:
    assert choose_threshold(np.array([0.9, 0.8]), np.array([False, True]), 0.1) is None


def test_thresholds_for_rates_and_what_they_leave() -> None:
    confidences = np.linspace(0.4, 1, 100)
    posteriors = np.stack([confidences, 1 - confidences], 1)
    posteriors[0] = [0.4, 0.6]  # the second class is the likelier one
    targets = np.zeros(100, int)
    targets[[10, 50, 90, 95]] = 1
    every = np.ones(100, bool)
    found = thresholds(targets, posteriors, every)
    right = posteriors.argmax(1) == targets
    assert list(found) == ["0.01", "0.05", "0.1", "0.2", "0.3"]
    for rate, chosen in found.items():
        kept = posteriors.max(1) >= chosen["unknown_below"]
        assert (~right[kept]).mean() <= float(rate)
        assert chosen["answered"] == kept.mean()
    assert found["0.01"]["answered"] < found["0.05"]["answered"] < found["0.1"]["answered"]
    targets[99] = 1  # the surest of all is wrong
    assert thresholds(targets, posteriors, every)["0.01"] is None
    every[99] = False  # but it is not answered
    assert thresholds(targets, posteriors, every)["0.01"]["answered"] < 1


def test_what_is_never_answered_has_no_threshold() -> None:
    nothing = thresholds(np.zeros(3, int), np.full((3, 2), 0.5), np.zeros(3, bool))
    assert set(nothing.values()) == {None}


def test_a_printed_threshold_still_answers() -> None:
    assert threshold_text(0.9999997) == "0.999999"
    assert threshold_text(0.40323350) == "0.403233" and threshold_text(0.5) == "0.500000"
