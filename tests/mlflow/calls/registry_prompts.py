"""Prompts: registered models with a tag, versions whose text is a tag."""

import mlflow
from steps import attempt, get, post

PROMPT = "mlflow.prompt.is_prompt"
DIFFERENCES_36 = {
    "a_name_is_a_model_or_a_prompt[4]": "the newest refuses it, and so do we; 3.6 took it",
}


def _fields(prompt) -> list:
    return [prompt.name, prompt.version, prompt.template, prompt.commit_message, prompt.tags]


def _register(name, template="Hello {{who}}", **kwargs):
    return mlflow.genai.register_prompt(name.replace(".", "_"), template, **kwargs)


def register_and_load(client, name):
    del client
    known = name.replace(".", "_")
    first = _register(name, commit_message="first", tags={"task": "greet"})
    second = _register(name, "Good day {{who}}")
    mlflow.genai.set_prompt_alias(known, "live", 1)
    return [
        _fields(first),
        _fields(second),
        _fields(mlflow.genai.load_prompt(f"prompts:/{known}/1")),
        _fields(mlflow.genai.load_prompt(f"prompts:/{known}@live")),
        mlflow.genai.load_prompt(f"prompts:/{known}/2").format(who="you"),
        mlflow.genai.load_prompt(known, version=9, allow_missing=True),
        attempt(mlflow.genai.load_prompt, f"prompts:/{known}/9"),
    ]


def aliases_and_tags(client, name):
    known = name.replace(".", "_")
    _register(name)
    mlflow.genai.set_prompt_alias(known, "live", 1)
    client.set_prompt_tag(known, "team", "ops")
    client.set_prompt_version_tag(known, "1", "quality", "good")
    loaded = client.get_prompt_version(known, "1")
    mlflow.genai.delete_prompt_alias(known, "live")
    client.delete_prompt_tag(known, "team")
    client.delete_prompt_version_tag(known, "1", "quality")
    after = client.get_prompt_version(known, "1")
    return [loaded.tags, loaded.aliases, after.tags, after.aliases, client.get_prompt(known).tags]


def listed_apart_from_models(client, name):
    known = name.replace(".", "_")
    _register(name)
    client.create_registered_model(f"{known} model")
    like = f"name LIKE '{known}%'"
    return [
        [m.name for m in client.search_registered_models(like)],
        [p.name for p in mlflow.genai.search_prompts(like)],
        [v.version for v in client.search_model_versions(f"name = '{known}'")],
        get("registered-models/search", filter=like)["json"]["registered_models"][0]["name"],
        get("registered-models/search", filter=f"{like} AND tags.`{PROMPT}` = 'true'")["json"][
            "registered_models"
        ][0]["name"],
    ]


def a_name_is_a_model_or_a_prompt(client, name):
    known = name.replace(".", "_")
    client.create_registered_model(f"{known}_m")
    mlflow.genai.register_prompt(f"{known}_p", "Hello")
    return [
        attempt(mlflow.genai.register_prompt, f"{known}_m", "Hello"),
        attempt(client.create_registered_model, f"{known}_p"),
        attempt(client.create_registered_model, f"{known}_p", {PROMPT: "true"}),
        attempt(client.create_registered_model, f"{known}_m", {PROMPT: "true"}),
        attempt(client.create_model_version, f"{known}_m", f"models:/{known}_p/1"),
    ]


def wrong_sources(client, name):
    client.create_registered_model(name, {PROMPT: "true"})
    tags = [{"key": PROMPT, "value": "true"}, {"key": "mlflow.prompt.text", "value": "Hello"}]
    sources = ["/etc/passwd", "s3://b/x", "dummy-source", "prompt-template"]
    return [
        post("model-versions/create", {"name": name, "source": each, "tags": tags})
        for each in sources
    ]


def chat(client, name):
    del client
    messages = [{"role": "system", "content": "Be kind"}, {"role": "user", "content": "{{q}}"}]
    made = _register(name, messages)
    loaded = mlflow.genai.load_prompt(f"prompts:/{made.name}/1")
    return [made.template, loaded.template, loaded.format(q="why?")]


def too_long(client, name):
    del client
    return [attempt(_register, name, "x" * 100_001), attempt(_register, f"{name} space")]


def deleted(client, name):
    known = name.replace(".", "_")
    _register(name)
    client.delete_prompt_version(known, "1")
    gone = attempt(mlflow.genai.load_prompt, f"prompts:/{known}/1")
    client.delete_prompt(known)
    return [gone, client.get_prompt(known)]
