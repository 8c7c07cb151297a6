"""Live the life of a model and of a prompt, watched by a webhook: `life.py SERVER RECEIVER`."""

from __future__ import annotations

import sys

import mlflow
from mlflow import MlflowClient

TOPICS = [
    "registered_model.created", "model_version.created", "model_version_tag.set",
    "model_version_tag.deleted", "model_version_alias.created", "model_version_alias.deleted",
    "prompt.created", "prompt_version.created", "prompt_tag.set", "prompt_tag.deleted",
    "prompt_version_tag.set", "prompt_version_tag.deleted", "prompt_alias.created",
    "prompt_alias.deleted",
]  # fmt: skip


def main(server: str, receiver: str) -> None:
    mlflow.set_tracking_uri(server)
    client = MlflowClient(server)
    webhook = client.create_webhook("all", receiver, TOPICS, secret="hush")
    for topic in TOPICS:
        print(client.test_webhook(webhook.webhook_id, topic))
    client.create_registered_model("m", {"a": "b"}, "described")
    client.create_model_version("m", "s3://b/x", tags={"k": "v"}, description="x")
    client.create_model_version("m", "models:/m/1")
    client.set_model_version_tag("m", "1", "t", "u")
    client.delete_model_version_tag("m", "1", "t")
    client.set_registered_model_alias("m", "al", 1)
    client.delete_registered_model_alias("m", "al")
    client.set_registered_model_tag("m", "nobody", "is told")
    mlflow.genai.register_prompt("p", "Hello {{x}}", commit_message="first", tags={"q": "1"})
    mlflow.genai.set_prompt_alias("p", "live", 1)
    mlflow.genai.delete_prompt_alias("p", "live")
    client.set_prompt_tag("p", "x", "y")
    client.delete_prompt_tag("p", "x")
    client.set_prompt_version_tag("p", "1", "x", "y")
    client.delete_prompt_version_tag("p", "1", "x")


if __name__ == "__main__":
    main(*sys.argv[1:])
