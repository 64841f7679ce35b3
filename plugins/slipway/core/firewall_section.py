"""The section `firewall` of a model file: who may reach the endpoint."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from slipway.core.ingress import Cidr, refuse_everyone
from slipway.core.section import Section, exactly_one


def _group_name(name: str) -> str:
    if name.startswith("sg-") or not re.fullmatch(r"[A-Za-z0-9 ._\-:/()#,@\[\]+=&;{}!$*]{1,255}", name):
        raise ValueError("1 to 255 of letters, digits, spaces and ._-:/()#,@[]+=&;{}!$*, not beginning with sg-")
    return name


class IngressRule(Section):
    """One opening: these sources may reach this TCP port. Nothing is open that no rule names."""

    port: int = Field(ge=1, le=65535)
    # Before `cidrs`: a validator sees the fields that stand above its own.
    public: bool = Field(False, description="Whether everyone may come in, as 0.0.0.0/0 says; refused without this.")
    cidrs: tuple[Cidr, ...] = Field(
        min_length=1, description="Sources, e.g. 203.0.113.0/24; 0.0.0.0/0, which is the world, only with public: true."
    )

    @field_validator("cidrs")
    @classmethod
    def _world_on_purpose(cls, cidrs: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        # Without "public" in the data it was wrong itself, and its own error is enough.
        if info.data.get("public") is False:
            refuse_everyone(cidrs, "`public: true` beside `cidrs` would open it to the world")
        return cidrs


class AwsSecurityGroup(Section):
    """An EC2 security group whose ingress rules Slipway keeps equal to `allow`."""

    name: Annotated[str, AfterValidator(_group_name)]
    vpc_id: str | None = Field(None, pattern=r"^vpc-[0-9a-f]+$", description="Default: the account's default VPC.")
    conn_id: str = "aws_default"
    region: str | None = None
    allow: tuple[IngressRule, ...] = ()


class Firewall(Section):
    """One item of `firewall`: exactly one kind of rule set."""

    aws_security_group: AwsSecurityGroup | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Firewall:
        exactly_one(self)
        return self
