"""The stand-in cloud, as a real process: what it confirmed survives kill -9, with the same ETags and identifiers."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config


class Cloud:
    """Starts and kills the process; gives clients of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]

    def start(self) -> None:
        command = [sys.executable, "-m", "slipway.local.cloud", "--port", str(self.port), "--folder", str(self.folder)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.1)
        pytest.fail("the cloud did not start")

    def kill(self) -> None:
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=f"http://127.0.0.1:{self.port}",
            region_name="us-east-1",
            aws_access_key_id="a",
            aws_secret_access_key="b",
            config=Config(retries={"max_attempts": 1}),
        )


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    cloud = Cloud(tmp_path / "cloud")
    cloud.start()
    yield cloud
    cloud.kill()


def test_what_was_confirmed_survives_a_crash(cloud: Cloud) -> None:
    s3, ec2 = cloud.client("s3"), cloud.client("ec2")
    s3.create_bucket(Bucket="bucket")
    s3.put_object(Bucket="bucket", Key="x/größe", Body=b"one")
    etag = s3.put_object(Bucket="bucket", Key="champion", Body=b"1", IfNoneMatch="*")["ETag"]
    etag = s3.put_object(Bucket="bucket", Key="champion", Body=b"2", IfMatch=etag)["ETag"]
    s3.put_object(Bucket="bucket", Key="gone", Body=b"x")
    s3.delete_object(Bucket="bucket", Key="gone")
    ec2.describe_security_groups()
    group = ec2.create_security_group(GroupName="g", Description="d")["GroupId"]
    rule = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "203.0.113.0/24"}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
    for _ in range(2):  # the second time, what the first start compacted
        cloud.kill()
        cloud.start()
    listed = {item["Key"]: item["ETag"] for item in s3.list_objects_v2(Bucket="bucket")["Contents"]}
    assert set(listed) == {"x/größe", "champion"}
    assert listed["champion"] == etag
    assert s3.get_object(Bucket="bucket", Key="champion")["Body"].read() == b"2"
    [found] = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    assert found["IpPermissions"][0]["FromPort"] == 443


def test_an_upload_in_parts_survives(cloud: Cloud, tmp_path: Path) -> None:
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="bucket")
    (tmp_path / "big").write_bytes(os.urandom(20 * 1024 * 1024))
    s3.upload_file(str(tmp_path / "big"), "bucket", "big")
    cloud.kill()
    cloud.start()
    assert s3.get_object(Bucket="bucket", Key="big")["Body"].read() == (tmp_path / "big").read_bytes()


def test_the_journal_does_not_grow_with_what_is_overwritten(cloud: Cloud) -> None:
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="bucket")
    for number in range(20):
        s3.put_object(Bucket="bucket", Key="same", Body=str(number).encode())
        s3.put_object(Bucket="bucket", Key="turn", Body=b"x")
        s3.delete_object(Bucket="bucket", Key="turn")
    cloud.kill()
    cloud.start()
    assert s3.get_object(Bucket="bucket", Key="same")["Body"].read() == b"19"
    assert len(list(cloud.folder.glob("*.json"))) == 2


def test_a_refused_request_is_not_played_again(cloud: Cloud) -> None:
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="bucket")
    s3.put_object(Bucket="bucket", Key="x", Body=b"1")
    with pytest.raises(s3.exceptions.ClientError, match="PreconditionFailed"):
        s3.put_object(Bucket="bucket", Key="x", Body=b"2", IfNoneMatch="*")
    cloud.kill()
    cloud.start()
    assert s3.get_object(Bucket="bucket", Key="x")["Body"].read() == b"1"
