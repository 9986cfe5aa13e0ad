"""An S3 server on loopback, in this process, that keeps its objects in memory."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from moto.server import ThreadedMotoServer

BUCKET = "archives"
REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class S3Server:
    """Where it is, and the variables that lead there."""

    endpoint: str
    bucket: str
    environment: dict[str, str]

    def keys(self, prefix: str = "") -> list[str]:
        """List the keys that begin so."""
        return [one["Key"] for one in self._listed(prefix)]

    def uploads(self) -> int:
        """Count the uploads that were begun and neither finished nor taken back."""
        return len(self._client().list_multipart_uploads(Bucket=self.bucket).get("Uploads", []))

    def _listed(self, prefix: str) -> list[dict[str, str]]:
        found = self._client().list_objects_v2(Bucket=self.bucket, Prefix=prefix)
        return list(found.get("Contents", []))

    def _client(self) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.environment["AWS_SECRET_ACCESS_KEY"],
        )


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """Start one with an empty bucket, and end it."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        _, port = server.get_host_and_port()
        endpoint = f"http://127.0.0.1:{port}"
        environment = {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "key-of-the-tests",
            "AWS_SECRET_ACCESS_KEY": "secret-of-the-tests",
            "AWS_REGION": REGION,
        }
        found = S3Server(endpoint, BUCKET, environment)
        found._client().create_bucket(Bucket=BUCKET)
        yield found
    finally:
        server.stop()
