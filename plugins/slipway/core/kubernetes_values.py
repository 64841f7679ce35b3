"""Names and quantities as the Kubernetes API takes them; what it would refuse, the model file refuses first."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_UNITS: dict[str, int] = {unit: 1024**power for power, unit in enumerate(("Ki", "Mi", "Gi", "Ti"), start=1)}
_UNITS |= {unit: 1000**power for power, unit in enumerate(("k", "M", "G", "T"), start=1)}


def _host(text: str) -> str:
    labels = text.split(".")
    if len(text) > 253 or labels[-1].isdecimal() or not all(re.fullmatch(_LABEL, label) for label in labels):
        raise ValueError(
            "a DNS name without scheme, port and wildcard, in lower case, others than ASCII letters in the form xn--.."
        )
    return text


# DNS-1123: a label, such as a namespace; or labels with dots between them, such as most objects' names.
NamespaceName = Annotated[str, Field(pattern=rf"^{_LABEL}$")]
ObjectName = Annotated[str, Field(pattern=rf"^{_LABEL}(\.{_LABEL})*$", max_length=253)]
HostName = Annotated[str, AfterValidator(_host)]
# Never less than a thousandth of a processor, and no fractions of a byte.
Cpu = Annotated[str, Field(pattern=r"^([1-9][0-9]{0,5}m|[1-9][0-9]{0,3}(\.[0-9]{1,3})?|0\.[0-9]{0,2}[1-9]0{0,2})$")]
Memory = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,8}(Ki|Mi|Gi|Ti|k|M|G|T)$")]


def millicores(cpu: str) -> int:
    """A `Cpu` in thousandths of a processor."""
    return int(cpu[:-1]) if cpu.endswith("m") else round(float(cpu) * 1000)


def cpu_text(thousandths: int) -> str:
    """The reverse, spelled as the API server spells it."""
    return f"{thousandths}m" if thousandths % 1000 else str(thousandths // 1000)


def memory_bytes(memory: str) -> int:
    """A `Memory` in bytes."""
    number = memory.rstrip("KMGTik")
    return int(number) * _UNITS[memory[len(number) :]]
