"""The report with the gate's decision: the evaluation's page, with the verdict put where its marker stands."""

from __future__ import annotations

from html import escape

from slipway.core.release import Comparison, Decision

MARKER = "<!-- slipway:decision -->"


def with_decision(report: str, decision: Decision) -> str:
    """The HTML of `report` (made by the evaluation, holds MARKER) with a section about `decision`."""
    return report.replace(MARKER, _section(decision), 1)


def _section(decision: Decision) -> str:
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in _facts(decision))
    verdict = "deployed" if decision.deploy else "not deployed"
    return (
        f'<section class="decision" id="decision"><h2>Gate: {escape(decision.outcome)}, {verdict}</h2>'
        f"<p>{escape(decision.reason)}.</p><table>{rows}</table></section>"
    )


def _facts(decision: Decision) -> list[tuple[str, str]]:
    comparison = decision.comparison
    facts = [
        ("Partition", decision.partition),
        ("Candidate", f"{comparison.metric} {comparison.candidate}"),
        ("Measured against", _champion(comparison)),
    ]
    if comparison.difference is not None:
        facts.append(("Paired difference", f"{comparison.difference} on {comparison.rows} holdout rows"))
    if comparison.obstacle:
        facts.append(("Not compared", comparison.obstacle))
    return [*facts, ("Run", decision.run_id)]


def _champion(comparison: Comparison) -> str:
    champion = comparison.champion
    if champion is None:
        return "nobody: no release is in service yet"
    score = f", {comparison.metric} {comparison.champion_score}" if comparison.champion_score else ""
    return f"release {champion.release} (partition {champion.partition}){score}"
