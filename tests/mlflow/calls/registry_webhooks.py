"""Webhooks. Nothing is ever sent of them: they are disabled, or of a topic without events."""

from steps import attempt, get, http, post

# A public address by its number: neither server has a name to look up.
URL = "https://93.184.216.34/hook"
DIFFERENCES = {
    "wrong[0]": "words: ours are told by the registry's own rules",
    "wrong[2]": "words: hosts are allowed here one by one, not all that are public",
    "wrong[3]": "words: hosts are allowed here one by one, not all that are public",
    "wrong[4]": "words: hosts are allowed here one by one, not all that are public",
    "wrong[5]": "words: ours say what is wrong with it",
    "wrong[6]": "words: ours say what is wrong with it",
    "wrong_bodies": "words: ours say what is wrong with it",
}


DIFFERENCES_36 = {
    "update": "3.6 wakes a webhook whatever is changed of it, and cannot take a description away",
    "wrong*": "3.6 asks for a scheme alone",
}


def _webhook(client, name, events=("registered_model.created",), **kwargs):
    return client.create_webhook(
        name.replace("_", "-")[:60], URL, list(events), **{"status": "DISABLED", **kwargs}
    )


def _fields(webhook) -> list:
    return [
        webhook.name,
        webhook.url,
        [str(event) for event in webhook.events],
        webhook.description,
        str(webhook.status),
        webhook.secret,
        bool(webhook.webhook_id),
        webhook.creation_timestamp,
        webhook.last_updated_timestamp,
    ]


def create(client, name):
    first = _webhook(client, name, description="tells", secret="hush")
    second = _webhook(client, f"{name}2", ["prompt_version_tag.deleted"], status="ACTIVE")
    return [
        _fields(first),
        _fields(second),
        _fields(client.get_webhook(first.webhook_id)),
        http("GET", f"webhooks/{first.webhook_id}")["json"]["webhook"]["status"],
        sorted(http("GET", f"webhooks/{first.webhook_id}")["json"]["webhook"]),
        sorted(http("GET", f"webhooks/{second.webhook_id}")["json"]["webhook"]),
        http("GET", f"webhooks/{first.webhook_id}")["json"]["webhook"]["events"],
    ]


def every_topic(client, name):
    topics = [
        "registered_model.created", "model_version.created", "model_version_tag.set",
        "model_version_tag.deleted", "model_version_alias.created", "model_version_alias.deleted",
        "prompt.created", "prompt_version.created", "prompt_tag.set", "prompt_tag.deleted",
        "prompt_version_tag.set", "prompt_version_tag.deleted", "prompt_alias.created",
        "prompt_alias.deleted",
    ]  # fmt: skip
    return [sorted(str(event) for event in _webhook(client, name, topics).events)]


def update(client, name):
    made = _webhook(client, name, description="tells", secret="hush")
    change = client.update_webhook
    return [
        _fields(change(made.webhook_id, name="other")),
        _fields(change(made.webhook_id, description="else", events=["prompt.created"])),
        _fields(change(made.webhook_id, url=f"{URL}/2", secret="new")),
        _fields(change(made.webhook_id, description="")),
        _fields(client.get_webhook(made.webhook_id)),
        attempt(change, made.webhook_id, name="-wrong"),
        attempt(change, "0" * 8 + "-0000-0000-0000-" + "0" * 12, name="x"),
    ]


def delete(client, name):
    made = _webhook(client, name)
    return [
        client.delete_webhook(made.webhook_id),
        attempt(client.get_webhook, made.webhook_id),
        attempt(client.delete_webhook, made.webhook_id),
        attempt(client.test_webhook, made.webhook_id),
    ]


def listed(client, name):
    made = [_webhook(client, f"{name}-{at}") for at in range(3)]
    first = client.list_webhooks(max_results=2)
    rest = client.list_webhooks(max_results=1000, page_token=first.token)
    mine = {webhook.webhook_id for webhook in made}
    return [
        len(first),
        bool(first.token),
        len(mine & {webhook.webhook_id for webhook in [*first, *rest]}),
        [w.name[-1] for w in [*first, *rest] if w.webhook_id in mine],
        get("webhooks", max_results=1001),
        get("webhooks", max_results=-1),
    ]


def wrong(client, name):
    del name
    make = client.create_webhook
    topics = ["prompt_version_tag.deleted"]
    return [
        attempt(make, "a", URL, []),
        attempt(make, "-a", URL, topics),
        attempt(make, "a", "https://127.0.0.1/x", topics),
        attempt(make, "a", "https://169.254.169.254/x", topics),
        attempt(make, "a", "https://10.0.0.1/x", topics),
        attempt(make, "a", "ftp://93.184.216.34/x", topics),
        attempt(make, "a", "https:///x", topics),
        attempt(make, "", URL, topics),
        attempt(make, "a", "", topics),
        attempt(make, "a", URL, ["model_version.exploded"]),
    ]


def wrong_bodies(client, name):
    del client, name
    event = [{"entity": "MODEL_VERSION", "action": "SET"}]
    return [post("webhooks", {"name": "a", "url": URL, "events": event})]


def numbers_for_names(client, name):
    del client
    event = [{"entity": 1, "action": 1}, {"entity": "MODEL_VERSION", "action": "CREATED"}]
    body = {"name": name.replace("_", "-"), "url": URL, "events": event, "status": 2}
    made = post("webhooks", body)
    found = made["json"]["webhook"]
    return [made["status"], sorted(map(str, found["events"])), found["status"]]
