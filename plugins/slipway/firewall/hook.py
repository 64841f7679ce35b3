"""EC2 security groups, through the amazon provider's connection. Touches only groups that carry our tag."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from slipway.aws.hook import aws_client
from slipway.core.errors import ConfigurationError, DeniedError, SlipwayError, UnavailableError
from slipway.core.firewall_section import AwsSecurityGroup
from slipway.firewall.security_group import Group, Rule, group_from, permission_of

TAG = "slipway:model"
_DENIED = {"UnauthorizedOperation", "AuthFailure", "InvalidClientTokenId", "ExpiredToken", "AccessDenied"}


class Ec2FirewallHook:
    """One model's security group, by name; connects on first use."""

    def __init__(self, section: AwsSecurityGroup, model: str) -> None:
        self._section, self._model = section, model

    @cached_property
    def client(self) -> Any:
        """The boto3 client that the Airflow connection describes."""
        return aws_client("ec2", self._section.conn_id, self._section.region)

    def find_group(self) -> Group | None:
        """Our group, or None.

        Raises:
            ConfigurationError: there is a group of that name without our tag.
        """
        with self._translated("find"):
            found = self.client.describe_security_groups(Filters=self._filters())["SecurityGroups"]
        if not found:
            return None
        tags = {tag["Key"]: tag["Value"] for tag in found[0].get("Tags", ())}
        if tags.get(TAG) != self._model:
            raise self._not_ours(found[0]["GroupId"], tags.get(TAG))
        return group_from(found[0])

    def create_group(self) -> Group:
        """Create the group, tagged and without any rule."""
        tags = [{"Key": TAG, "Value": self._model}, {"Key": "Name", "Value": self._section.name}]
        with self._translated("create"):
            answer = self.client.create_security_group(
                GroupName=self._section.name,
                Description=f"Ingress of the model {self._model}, managed by Slipway",
                TagSpecifications=[{"ResourceType": "security-group", "Tags": tags}],
                **({"VpcId": self._section.vpc_id} if self._section.vpc_id else {}),
            )
        return Group(answer["GroupId"], frozenset())

    def authorize(self, group: Group, rules: Iterable[Rule]) -> None:
        """Open these rules."""
        if permissions := [permission_of(rule) for rule in rules]:
            with self._translated("open a port of"):
                self.client.authorize_security_group_ingress(GroupId=group.group_id, IpPermissions=permissions)

    def revoke(self, group: Group, rules: Iterable[Rule]) -> None:
        """Close these rules."""
        if permissions := [permission_of(rule) for rule in rules]:
            for permission in permissions:  # EC2 matches a revocation without regard to descriptions
                for item in [*permission.get("IpRanges", ()), *permission.get("Ipv6Ranges", ())]:
                    item.pop("Description")
            with self._translated("close a port of"):
                self.client.revoke_security_group_ingress(GroupId=group.group_id, IpPermissions=permissions)

    def delete_group(self, group: Group) -> None:
        """Remove the group."""
        with self._translated("delete"):
            self.client.delete_security_group(GroupId=group.group_id)

    def _filters(self) -> list[dict[str, Any]]:
        filters = [{"Name": "group-name", "Values": [self._section.name]}]
        if self._section.vpc_id:
            filters.append({"Name": "vpc-id", "Values": [self._section.vpc_id]})
        return filters

    def _not_ours(self, group_id: str, owner: str | None) -> ConfigurationError:
        whose = f"it belongs to the model {owner!r}" if owner else f"it has no tag {TAG}, so Slipway did not make it"
        return ConfigurationError(
            "could not use the security group",
            on=f"{self._section.name} ({group_id})",
            why=f"{whose}; it was left alone",
            fix=f"Choose another name in the model file, or tag the group {TAG}={self._model} to hand it over.",
        )

    @contextmanager
    def _translated(self, verb: str) -> Iterator[None]:
        from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

        try:
            yield
        except ClientError as error:
            raise self._from_service(verb, error) from error
        except NoCredentialsError as error:
            raise self._denied(verb, str(error)) from error
        except BotoCoreError as error:
            fix = "Check the network and the connection's endpoint and region."
            raise UnavailableError(
                f"could not {verb} the security group", on=self._section.name, why=str(error)[:200], fix=fix
            ) from error

    def _from_service(self, verb: str, error: Any) -> SlipwayError:
        code, why = str(error.response["Error"]["Code"]), str(error)[:200]
        if code in _DENIED:
            return self._denied(verb, why)
        failed = f"could not {verb} the security group"
        if code.startswith(("InvalidParameter", "InvalidVpc", "InvalidPermission", "RulesPerSecurityGroupLimit")):
            return ConfigurationError(
                failed, on=self._section.name, why=why, fix="Correct firewall: in the model file."
            )
        return UnavailableError(
            failed, on=self._section.name, why=why, fix="Run again later; if it stays, look the code up."
        )

    def _denied(self, verb: str, why: str) -> DeniedError:
        fix = "Allow this identity the EC2 actions that README lists."
        return DeniedError(f"could not {verb} the security group", on=self._section.name, why=why, fix=fix)
