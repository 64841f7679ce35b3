"""Names and quantities as the Kubernetes API takes them; what it would refuse, the model file refuses first."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_NAME = rf"{_LABEL}(\.{_LABEL})*"
_LEAST_MEMORY = "16Mi"  # below, a container runtime cannot even start a container
_UNITS: dict[str, int] = {unit: 1024**power for power, unit in enumerate(("Ki", "Mi", "Gi", "Ti"), start=1)}
_UNITS |= {unit: 1000**power for power, unit in enumerate(("k", "M", "G", "T"), start=1)}


def _host(text: str) -> str:
    labels = text.split(".")
    if len(text) > 253 or labels[-1].isdecimal() or not all(re.fullmatch(_LABEL, label) for label in labels):
        raise ValueError(
            "a DNS name without scheme, port and wildcard, in lower case, others than ASCII letters in the form xn--.."
        )
    return text


def _namespace(text: str) -> str:
    if not re.fullmatch(_LABEL, text):
        raise ValueError("at most 63 lower-case letters, digits and '-', the first and the last no '-'")
    return text


def _object(text: str) -> str:
    if len(text) > 253 or not re.fullmatch(_NAME, text):
        raise ValueError("lower-case letters, digits, '-' and '.', the first and the last a letter or digit")
    return text


def _number_as_text(value: Any) -> Any:
    """What YAML takes for a number, e.g. of ``cpu: 2``, as text."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _enough(memory: str) -> str:
    if memory_bytes(memory) < memory_bytes(_LEAST_MEMORY):
        raise ValueError(f"{_LEAST_MEMORY} or more")
    return memory


# DNS-1123: a label, such as a namespace; or labels with dots between them, such as most objects' names.
NamespaceName = Annotated[str, AfterValidator(_namespace), WithJsonSchema({"type": "string", "pattern": f"^{_LABEL}$"})]
ObjectName = Annotated[
    str, AfterValidator(_object), WithJsonSchema({"type": "string", "pattern": f"^{_NAME}$", "maxLength": 253})
]
HostName = Annotated[str, AfterValidator(_host)]
# Never less than a thousandth of a processor, and no fractions of a byte.
_CpuText = Annotated[
    str, Field(pattern=r"^([1-9][0-9]{0,5}m|[1-9][0-9]{0,3}(\.[0-9]{1,3})?|0\.[0-9]{0,2}[1-9]0{0,2})$")
]
Cpu = Annotated[
    _CpuText,
    BeforeValidator(_number_as_text, json_schema_input_type=_CpuText | Annotated[float, Field(gt=0, lt=10_000)]),
]
Size = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,8}(Ki|Mi|Gi|Ti|k|M|G|T)$")]
Memory = Annotated[Size, AfterValidator(_enough)]


def millicores(cpu: str) -> int:
    """A `Cpu` in thousandths of a processor."""
    return int(cpu[:-1]) if cpu.endswith("m") else round(float(cpu) * 1000)


def cpu_text(thousandths: int) -> str:
    """The reverse, spelled as the API server spells it."""
    return f"{thousandths}m" if thousandths % 1000 else str(thousandths // 1000)


def memory_bytes(memory: str) -> int:
    """A `Size` or `Memory` in bytes."""
    number = memory.rstrip("KMGTik")
    return int(number) * _UNITS[memory[len(number) :]]
