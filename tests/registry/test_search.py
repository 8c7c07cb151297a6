from __future__ import annotations

import pytest

from treadle.errors import InvalidInput

LINK = "s3://bucket/x"
PROMPT = {"mlflow.prompt.is_prompt": "true"}


@pytest.fixture
def filled(registry, clock):
    for name, tags in {
        "alpha": {"team": "ops"},
        "beta": {"team": "lab", "tier": "1"},
        "Gamma": {},
        "greeting": PROMPT,
    }.items():
        clock.advance(1_000_000)
        registry.create_model(name, tags=tags)
    for name, run_id, tags in (
        ("alpha", "r1", {"k": "v"}),
        ("alpha", "r2", {}),
        ("beta", "r1", {"k": "w"}),
    ):
        clock.advance(1_000_000)
        registry.create_version(name, source=f"s3://{name}/x", run_id=run_id, tags=tags)
    clock.advance(1_000_000)
    registry.create_version("greeting", source="dummy-source", tags=PROMPT)
    return registry


def names(page):
    return [model.name for model in page.items]


def refs(page):
    return [version.ref for version in page.items]


MODELS_FOUND = {
    "": ["Gamma", "alpha", "beta"],
    "name = 'alpha'": ["alpha"],
    "name LIKE 'g%'": [],
    "name ILIKE 'g%'": ["Gamma"],
    "name IN ('alpha', 'beta')": ["alpha", "beta"],
    "tags.team = 'ops'": ["alpha"],
    "tags.team != 'ops'": ["beta"],
    "tags.team IS NULL": ["Gamma"],
    "tag.team = 'lab' and tag.tier = '1'": ["beta"],
    "tags.`mlflow.prompt.is_prompt` = 'true'": ["greeting"],
    "tags.`mlflow.prompt.is_prompt` != 'false'": ["greeting"],
    "tags.`mlflow.prompt.is_prompt` != 'true'": ["Gamma", "alpha", "beta"],
    "tags.`mlflow.prompt.is_prompt` = 'false' and name = 'beta'": ["beta"],
    "not name = 'alpha' or tags.team = 'ops'": ["Gamma", "alpha", "beta"],
}
VERSIONS_FOUND = {
    "": ["beta@1", "alpha@2", "alpha@1"],
    "name = 'alpha'": ["alpha@2", "alpha@1"],
    "run_id = 'r1'": ["beta@1", "alpha@1"],
    "run_id IN ('r2')": ["alpha@2"],
    "source_path LIKE 's3://alpha%'": ["alpha@2", "alpha@1"],
    "version_number > 1": ["alpha@2"],
    "tags.k = 'v'": ["alpha@1"],
    "tags.k IS NULL and name = 'alpha'": ["alpha@2"],
    "stage = 'None' and flavor = 'mlflow' and name = 'beta'": ["beta@1"],
    "tags.`mlflow.prompt.is_prompt` = 'true'": ["greeting@1"],
}
MODELS_ORDERED = {
    "name DESC": ["beta", "alpha", "Gamma"],
    "last_updated_timestamp ASC": ["Gamma", "alpha", "beta"],
    "creation_timestamp": ["alpha", "beta", "Gamma"],
    "tags.team": ["beta", "alpha", "Gamma"],
}


def test_models_are_found_by_name_and_tags(filled):
    assert {w: names(filled.search_models(where=w)) for w in MODELS_FOUND} == MODELS_FOUND


def test_versions_are_found_by_what_they_are(filled):
    assert {w: refs(filled.search_versions(where=w)) for w in VERSIONS_FOUND} == VERSIONS_FOUND


def test_models_are_ordered_as_asked(filled):
    found = {by: names(filled.search_models(order_by=[by])) for by in MODELS_ORDERED}

    assert found == MODELS_ORDERED


def test_versions_are_ordered_as_asked(filled):
    found = filled.search_versions(order_by=["name ASC", "version_number ASC"])

    assert refs(found) == ["alpha@1", "alpha@2", "beta@1"]


def test_pages_hold_everything_once(filled):
    first = filled.search_versions(limit=2)
    second = filled.search_versions(limit=2, offset=first.next_offset)

    assert refs(first) + refs(second) == ["beta@1", "alpha@2", "alpha@1"]
    assert (first.total, second.total, second.next_offset) == (3, 3, None)


def test_what_cannot_be_asked_is_refused_with_the_near_miss(filled):
    with pytest.raises(InvalidInput, match="Did you mean 'name'"):
        filled.search_models(where="nam = 'alpha'")
    with pytest.raises(InvalidInput, match="cannot be ordered by"):
        filled.search_versions(order_by="size")


def test_prompts_are_not_among_the_models(filled):
    assert [m.name for m in filled.models()] == ["Gamma", "alpha", "beta"]
    assert filled.model("greeting").is_prompt


def test_a_search_that_would_be_sql_finds_nothing(filled):
    assert names(filled.search_models(where="name = 'x'' OR ''1''=''1'")) == []
    assert names(filled.search_models(where="tags.`a' OR 1=1 --` = 'x'")) == []
