"""Where a run reads its dataset from, as a template: the answer in the trigger form, or else the model file's URI."""

from __future__ import annotations

from jinja2 import Environment, TemplateSyntaxError

_ANSWER = "params.dataset_uri | default('', true) | trim"


def dataset_uri_template(uri: str) -> str:
    """The template over `uri`, the model file's own, which may hold Jinja.

    The form's answer is a value in it, never a part of its text: what a person types is not rendered.

    Raises:
        ValueError: `uri` is no Jinja template.
    """
    template = f"{{% if {_ANSWER} %}}{{{{ {_ANSWER} }}}}{{% else %}}{uri}{{% endif %}}"
    try:
        Environment().parse(uri)  # noqa: S701  only parsed; Airflow renders it
    except TemplateSyntaxError as error:
        raise ValueError(f"dataset.uri: found {uri!r}, allowed: text with Jinja like {{{{ ds }}}} ({error})") from error
    return template
