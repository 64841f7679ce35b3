"""The gate's verdict on the page about a model."""

from __future__ import annotations

from slipway.core.release import Champion, Comparison, Decision, Interval
from slipway.release.decision_page import MARKER, with_decision

PAGE = f"<main>{MARKER}<section>metrics</section></main>"


def decision(**comparison: object) -> Decision:
    measured = Comparison.model_validate(
        {
            "metric": "roc_auc",
            "candidate": Interval(value=0.91, low=0.9, high=0.92),
            "higher_is_better": True,
            "rows": 100,
        }
        | comparison
    )
    return Decision(
        model="flights",
        partition="2013-01-05T00:00:00Z",
        run_id="manual__<script>alert(1)</script>",
        dataset_id="d",
        model_id="m",
        bundle_digest="sha256:0",
        outcome="not worse",
        deploy=True,
        reason="roc_auc difference 0.01",
        comparison=measured,
    )


def test_it_stands_before_the_metrics_with_its_numbers() -> None:
    page = with_decision(
        PAGE,
        decision(
            champion=Champion(release=3, model_id="old", partition="2013-01-04T00:00:00Z"),
            champion_score=Interval(value=0.9, low=0.89, high=0.91),
            difference=Interval(value=0.01, low=-0.01, high=0.03),
        ),
    )
    assert page.startswith('<main><section class="decision" id="decision"><h2>Gate: not worse, deployed</h2>')
    assert page.endswith("<section>metrics</section></main>")
    for text in (
        "roc_auc 0.9100 [0.9000, 0.9200]",
        "release 3 (partition 2013-01-04T00:00:00Z), roc_auc 0.9000 [0.8900, 0.9100]",
        "0.0100 [-0.0100, 0.0300] on 100 holdout rows",
    ):
        assert text in page


def test_without_a_champion_or_a_comparison_it_says_so() -> None:
    assert "nobody: no release is in service yet" in with_decision(PAGE, decision())
    obstacle = "release 3 predicts another target: 'a', not 'b'"
    champion = Champion(release=3, model_id="old", partition="p")
    page = with_decision(PAGE, decision(champion=champion, obstacle=obstacle))
    assert "release 3 predicts another target: &#x27;a&#x27;, not &#x27;b&#x27;" in page


def test_nothing_in_it_is_markup() -> None:
    assert "<script>" not in with_decision(PAGE, decision())
