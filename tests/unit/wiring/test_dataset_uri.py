from __future__ import annotations

import pytest
from jinja2 import Environment

from slipway.wiring.dataset_uri import dataset_uri_template


def rendered(uri: str, answer: str | None) -> str:
    return Environment().from_string(dataset_uri_template(uri)).render(params={"dataset_uri": answer}, ds="2013-01-05")


@pytest.mark.parametrize("answer", [None, "", "   ", "\n"])
@pytest.mark.parametrize(
    ("uri", "read"),
    [
        ("s3://inbox/{{ ds }}.csv", "s3://inbox/2013-01-05.csv"),
        ('/data/it\'s "here"/ä b\\c.csv', '/data/it\'s "here"/ä b\\c.csv'),
        ("s3://inbox/{% if ds > '2013' %}new{% endif %}.csv", "s3://inbox/new.csv"),
        ("s3://inbox/}}.csv", "s3://inbox/}}.csv"),
    ],
)
def test_without_an_answer_it_is_the_model_file_s(uri: str, read: str, answer: str | None) -> None:
    assert rendered(uri, answer) == read


@pytest.mark.parametrize("answer", ["s3://other/a.csv", "{{ ds }}", "{% endif %}", "'quoted' \"twice\"", "{# c #}"])
def test_an_answer_is_taken_to_the_letter(answer: str) -> None:
    assert rendered("s3://inbox/{{ ds }}.csv", answer) == answer
    assert rendered("s3://inbox/{{ ds }}.csv", f"  {answer}\n") == answer


@pytest.mark.parametrize("uri", ["s3://inbox/{{ ds }.csv", "s3://inbox/{% if %}.csv", "s3://inbox/{# .csv"])
def test_what_is_no_template_is_refused(uri: str) -> None:
    with pytest.raises(
        ValueError, match=r"^dataset\.uri: found 's3://inbox/.*allowed: text with Jinja like \{\{ ds \}\}"
    ):
        dataset_uri_template(uri)
