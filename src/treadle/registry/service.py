"""The verbs of models, their versions, tags, stages and aliases."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from treadle.kernel.actors import current_actor
from treadle.kernel.digests import canonical_json
from treadle.kernel.errors import Corrupt, InvalidInput, NotFound, Refused
from treadle.kernel.ids import new_id
from treadle.kernel.list_fields import check_filter, check_orders
from treadle.registry import bundle, changes, rules, search, store
from treadle.registry.described import describe_files, is_foreign
from treadle.registry.entities import (
    PROMPT,
    SEALING,
    UNKNOWN_SIGNATURE,
    Model,
    ModelVersion,
    Seal,
    signed_message,
)
from treadle.registry.facts import ModelCreated, ModelDeleted, VersionDeleted, VersionRegistered
from treadle.registry.filtering import MODELS, VERSIONS
from treadle.registry.flavors.known import FLAVORS
from treadle.registry.loaded import LoadedModel
from treadle.registry.replay import replay
from treadle.registry.sources import (
    Copied,
    Origin,
    check_prompt_source,
    check_scheme,
    copied_of,
    origin_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pyarrow as pa

    from treadle.data.entities import FileEntry
    from treadle.kernel.paging import Page
    from treadle.registry.entities import Signature
    from treadle.registry.ports import ModelFlavor
    from treadle.registry.sources import Shelf
    from treadle.storage.events import Event
    from treadle.storage.keys import Signer
    from treadle.storage.ports import MetadataStore, ObjectStore
    from treadle.storage.transaction import Transaction

NOTHING: Mapping[str, Any] = {}


NO_TEXTS: Mapping[str, str] = {}
PAGE_LIMIT = 200_000

Guard = Callable[[str, int | None], str]
"""Says what still needs a version, or (for None) any version of a model; nothing when none does."""


class Registry:
    """Models and their signed versions. May be shared by threads; every verb is one transaction.

    `shelf` knows what runs and logged models hold, `guard` what must not be deleted: both are
    handed in by whoever knows more than the registry may.
    """

    def __init__(
        self,
        *,
        store: MetadataStore,
        objects: ObjectStore,
        signer: Signer,
        flavors: Sequence[ModelFlavor] = FLAVORS,
        shelf: Shelf | None = None,
        guard: Guard | None = None,
    ) -> None:
        self._store = store
        self._objects = objects
        self._signer = signer
        self._flavors = {flavor.name: flavor for flavor in flavors}
        self._shelf = shelf
        self._guard = guard

    def register(
        self,
        name: str,
        model: object,
        *,
        run_id: str | None = None,
        example: pa.Table,
        description: str = "",
        metadata: Mapping[str, Any] = NOTHING,
    ) -> ModelVersion:
        """Save a model as the next version of a name, signed; the name is made on its first use.

        The columns of `example` become the model's inputs; its first rows are stored with their
        answers and asked again at every load. `metadata` is any JSON; `format`, `libraries` and
        `classes` in it are ours. Raises InvalidInput when the model is of no known flavor, fails on
        the example or answers it differently once saved.
        """
        self._check_new_name(name)
        flavor = self._flavor_for(model)
        given = _plain(metadata)
        signature, files, remembered = bundle.pack(
            model, flavor=flavor, example=example, objects=self._objects
        )
        with self._store.write() as tx:
            if store.add_model(tx, name, at=tx.at):
                tx.emit(ModelCreated(name=name))
            return self._add_version(
                tx,
                name,
                run_id=run_id,
                flavor=flavor.name,
                files=files,
                signature=signature,
                description=rules.check_text(description, what="a description"),
                metadata={**given, **_plain(remembered)},
            )

    def create_version(
        self,
        name: str,
        *,
        source: str,
        run_id: str | None = None,
        logged_model_id: str | None = None,
        run_link: str = "",
        description: str = "",
        tags: Mapping[str, str] = NO_TEXTS,
        number: int | None = None,
    ) -> ModelVersion:
        """Make the next version of a model from files that are there already, signed as they are.

        `source` says where they lie: `runs:/RUN/model`, `models:/m-…`, or `models:/late/3` for a
        copy. What lies in a foreign place stays a link, which nobody here follows. `number` is for
        a version that had one elsewhere; Conflict when it is taken. Raises NotFound
        when the model is not there, InvalidInput for a source that is not of the run or logged
        model named with it, and for any file of this machine.
        """
        rules.check_model_name(name)
        rules.check_tags(tags)
        rules.check_text(run_link, what="a link", longest=rules.LINK_LENGTH)
        rules.check_text(description, what="a description")
        content = self._content(source, run_id, logged_model_id, prompt=is_prompt(tags))
        with self._store.write() as tx:
            changes.held(tx, name)
            changes.must_be_free(tx, name, number)
            made = self._add_version(
                tx,
                name,
                number,
                **content,
                run_link=run_link,
                description=description,
                tags=dict(tags),
            )
            if made.logged_model_id and self._shelf is not None:
                self._shelf.tell_registered(made.logged_model_id, name=name, number=made.number)
            return made

    def create_model(
        self, name: str, *, description: str = "", tags: Mapping[str, str] = NO_TEXTS
    ) -> Model:
        """Register a name without versions. Raises Conflict when it is taken."""
        rules.check_model_name(name)
        rules.check_tags(tags)
        rules.check_text(description, what="a description")
        with self._store.write() as tx:
            return changes.create(tx, name, description=description, tags=tags)

    def model(self, name: str) -> Model:
        """Return a model. Raises NotFound with the near miss."""
        rules.check_model_name(name)
        with self._store.read() as tx:
            return changes.model_of(tx, name)

    def describe_model(self, name: str, description: str) -> Model:
        """Write the description of a model."""
        rules.check_text(description, what="a description")
        with self._store.write() as tx:
            return changes.describe(tx, rules.check_model_name(name), description)

    def rename_model(self, name: str, new_name: str) -> Model:
        """Give a model another name; its versions are signed again under it.

        Raises Refused when something needs it under its present name, Conflict when the new one is
        taken.
        """
        rules.check_model_name(name)
        rules.check_model_name(new_name)
        with self._store.write() as tx:
            changes.held(tx, name)
            self._check_free(name, None, verb="renamed")
            return changes.rename(tx, name, new_name, reseal=self._reseal)

    def delete_model(self, name: str) -> None:
        """Delete a model with all of its versions. Raises Refused when something needs one."""
        rules.check_model_name(name)
        with self._store.write() as tx:
            changes.held(tx, name)
            self._check_free(name, None, verb="deleted")
            store.delete_model(tx, name)
            tx.emit(ModelDeleted(name=name))

    def tag_model(self, name: str, tags: Mapping[str, str]) -> None:
        """Write tags of a model."""
        rules.check_model_name(name)
        rules.check_tags(tags)
        with self._store.write() as tx:
            changes.tag_model(tx, name, tags)

    def untag_model(self, name: str, key: str) -> None:
        """Take a tag off a model. Raises NotFound with the near miss."""
        rules.check_model_name(name)
        with self._store.write() as tx:
            changes.untag_model(tx, name, key)

    def search_models(
        self,
        *,
        where: str = "",
        order_by: str | Sequence[str] = (),
        limit: int = 100,
        offset: int = 0,
    ) -> Page[Model]:
        """Return models that a filter holds for, by name unless told otherwise.

        Prompts are left out unless the filter asks for them.
        """
        node = check_filter(where, MODELS)
        order = check_orders(order_by, MODELS, default="name")
        with self._store.read() as tx:
            return search.search_models(
                tx, node, order=order, limit=_limit(limit), offset=max(0, offset)
            )

    def search_versions(
        self,
        *,
        where: str = "",
        order_by: str | Sequence[str] = (),
        limit: int = 100,
        offset: int = 0,
    ) -> Page[ModelVersion]:
        """Return versions of all models that a filter holds for, the last changed first."""
        node = check_filter(where, VERSIONS)
        order = check_orders(order_by, VERSIONS, default="updated_at desc")
        with self._store.read() as tx:
            return search.search_versions(
                tx, node, order=order, limit=_limit(limit), offset=max(0, offset)
            )

    def version(self, ref: str) -> ModelVersion:
        """Return a version by `late@3`, `late@champion`, `late@latest` or `late` (the newest)."""
        asked = rules.parse_ref(ref)
        with self._store.read() as tx:
            return changes.version_of(tx, asked)

    def numbered(self, name: str, number: int) -> ModelVersion:
        """Return a version by name and number, whatever signs the name holds."""
        with self._store.read() as tx:
            return changes.numbered(tx, rules.check_model_name(name), number)

    def aliased(self, name: str, alias: str) -> ModelVersion:
        """Return the version an alias points to."""
        with self._store.read() as tx:
            return changes.version_of(tx, rules.Ref(name=name, alias=alias))

    def version_by_id(self, version_id: str) -> ModelVersion:
        """Return a version by its id."""
        with self._store.read() as tx:
            found = store.version_by_id(tx, version_id)
        if found is None:
            raise NotFound("model version", version_id)
        return found

    def newest_of_stages(self, names: Sequence[str]) -> dict[str, tuple[ModelVersion, ...]]:
        """Return the newest version in each stage of some models."""
        with self._store.read() as tx:
            found = store.latest_of_stages(tx, names)
        return {name: tuple(v for v in found if v.model == name) for name in names}

    def versions(self, name: str) -> tuple[ModelVersion, ...]:
        """Return the versions of a model, newest first."""
        with self._store.read() as tx:
            changes.model_of(tx, name)
            return store.list_versions(tx, name)

    def versions_of_run(self, run_id: str) -> tuple[ModelVersion, ...]:
        """Return the versions a run made, oldest first."""
        with self._store.read() as tx:
            return store.versions_of_run(tx, run_id)

    def models(self) -> tuple[Model, ...]:
        """Return every model by name, with its newest number and its aliases; no prompts."""
        with self._store.read() as tx:
            return store.list_models(tx)

    def load(self, ref: str, *, trust: bool = False) -> LoadedModel:
        """Load a version, ready to be asked. Raises Corrupt before anything is unpickled.

        What came by MLflow's API and could run code when loaded is Refused, unless the caller says
        `trust`.
        """
        return self.load_version(self.version(ref), trust=trust)

    def load_version(self, version: ModelVersion, *, trust: bool = False) -> LoadedModel:
        """Load a version that is already in hand; it is checked all the same."""
        self._check_manifest(version)
        if is_foreign(version.flavor):
            return bundle.unpack_foreign(version, objects=self._objects, trust=trust)
        flavor = self._flavors.get(version.flavor)
        if flavor is None:
            raise NotFound("model flavor", version.flavor, known=self._flavors)
        model = bundle.unpack(version, flavor=flavor, objects=self._objects)
        return LoadedModel(version, model=model, flavor=flavor)

    def verify(self, ref: str) -> ModelVersion:
        """Check the signature and every file of a version without loading it; raises Corrupt."""
        version = self.version(ref)
        self._check_manifest(version)
        for file in version.files:
            bundle.read_file(version, file, objects=self._objects)
        return version

    def describe_version(self, name: str, number: int, description: str) -> ModelVersion:
        """Write the description of a version."""
        rules.check_text(description, what="a description")
        with self._store.write() as tx:
            changes.held(tx, rules.check_model_name(name))
            version = changes.numbered(tx, name, number)
            seal = self._reseal(version, name) if version.sealing < SEALING else None
            return changes.describe_version(tx, version, description, seal=seal)

    def tag_version(self, name: str, number: int, tags: Mapping[str, str]) -> None:
        """Write tags of a version."""
        rules.check_model_name(name)
        rules.check_tags(tags)
        with self._store.write() as tx:
            changes.tag_version(tx, name, number, tags)

    def untag_version(self, name: str, number: int, key: str) -> None:
        """Take a tag off a version. Raises NotFound with the near miss."""
        rules.check_model_name(name)
        with self._store.write() as tx:
            changes.untag_version(tx, name, number, key)

    def move_stage(
        self, name: str, number: int, stage: str, *, archive_existing: bool = False
    ) -> ModelVersion:
        """Move a version to `none`, `staging`, `production` or `archived`.

        With `archive_existing` the versions that are in that stage leave it for the archive.
        """
        rules.check_model_name(name)
        with self._store.write() as tx:
            return changes.move_stage(tx, name, number, stage, archive_existing=archive_existing)

    def delete_version(self, name: str, number: int) -> None:
        """Delete a version and the aliases that point to it; its number is not given again.

        Raises Refused when something needs it.
        """
        rules.check_model_name(name)
        with self._store.write() as tx:
            changes.held(tx, name)
            changes.numbered(tx, name, number)
            self._check_free(name, number, verb="deleted")
            store.delete_version(tx, name, number)
            store.touch_model(tx, name, at=tx.at)
            tx.emit(VersionDeleted(name=name, number=number))

    def hold(self, name: str) -> bool:
        """Keep a model, its versions and its name until the transaction around this ends.

        For who is about to need one. Say whether the model is there; outside of a `write` nothing
        is held.
        """
        with self._store.write() as tx:
            return store.lock_model(tx, name)

    def set_alias(self, name: str, alias: str, number: int) -> None:
        """Point an alias to a version; does nothing when it points there already."""
        rules.check_alias(alias)
        with self._store.write() as tx:
            changes.set_alias(tx, name, alias, number)

    def remove_alias(self, name: str, alias: str) -> None:
        """Take an alias away. Raises NotFound with the near miss."""
        with self._store.write() as tx:
            changes.remove_alias(tx, name, alias)

    def aliases(self, name: str) -> dict[str, int]:
        """Return where the aliases of a model point."""
        with self._store.read() as tx:
            return changes.model_of(tx, name).aliases

    def rebuild(self, events: Iterable[Event]) -> None:
        """Empty the registry's tables and fill them from the event log; skips others' events."""
        with self._store.write() as tx:
            store.clear(tx)
            for event in events:
                replay(tx, event)

    def _add_version(
        self,
        tx: Transaction,
        name: str,
        wanted: int | None = None,
        *,
        flavor: str,
        files: tuple[FileEntry, ...],
        signature: Signature,
        **fields: Any,
    ) -> ModelVersion:
        number = store.take_number(tx, name, at=tx.at, wanted=wanted)
        if number is None:  # deleted by another while the files were read
            raise NotFound("model", name)
        draft = ModelVersion(
            id=new_id(),
            model=name,
            number=number,
            flavor=flavor,
            files=files,
            digest="",
            signature=signature,
            key_id=self._signer.key_id,
            signed="",
            created_at=tx.at,
            updated_at=tx.at,
            actor=current_actor(),
            sealing=SEALING,
            **fields,
        )
        version = self._signed(draft)
        store.add_version(tx, version)
        tx.emit(VersionRegistered(name=name, number=version.number, version=version))
        return version

    def _content(
        self, source: str, run_id: str | None, logged_model_id: str | None, *, prompt: bool
    ) -> dict[str, Any]:
        """Return what a version made from a source holds."""
        if prompt:
            check_prompt_source(source)
            return _held_by(
                Origin(source=source, run_id=run_id), flavor="prompt", signature=UNKNOWN_SIGNATURE
            )
        check_scheme(source)
        copied = copied_of(source)
        if copied is not None:
            return self._copy(source, copied, run_id, logged_model_id)
        origin = origin_of(source, run_id=run_id, model_id=logged_model_id, shelf=self._shelf)
        found = describe_files(origin.files, objects=self._objects)
        return _held_by(
            origin, flavor=found.flavor, signature=found.signature, metadata=found.metadata
        )

    def _copy(
        self, source: str, copied: Copied, run_id: str | None, logged_model_id: str | None
    ) -> dict[str, Any]:
        with self._store.read() as tx:
            original = _copied_version(tx, copied, source=source)
        given = (run_id or "", logged_model_id or "")
        theirs = (original.run_id or "", original.logged_model_id or "")
        for mine, own, was_given in zip(
            given, theirs, (run_id is not None, logged_model_id is not None), strict=True
        ):
            if was_given and mine != own:
                raise InvalidInput(
                    "A copy has the run and the logged model of its original.",
                    hint="Leave them out.",
                    kind="source",
                    reason="ids",
                    source=source,
                )
        origin = Origin(
            source=f"models:/{original.model}/{original.number}",
            run_id=original.run_id,
            logged_model_id=original.logged_model_id,
            files=original.files,
        )
        return _held_by(
            origin,
            flavor=original.flavor,
            signature=original.signature,
            metadata=original.metadata,
        )

    def _check_new_name(self, name: str) -> None:
        # What others have named stays usable; what we name must be easy to write.
        with self._store.read() as tx:
            if store.latest_number(tx, name) is None:
                rules.check_name(name)

    def _check_free(self, name: str, number: int | None, *, verb: str) -> None:
        needed = self._guard(name, number) if self._guard is not None else ""
        if needed:
            what = name if number is None else f"{name}@{number}"
            raise Refused(
                f"{what} cannot be {verb}: {needed}.",
                hint="Give the traffic to another version first.",
                model=name,
                number=number,
            )

    def _flavor_for(self, model: object) -> ModelFlavor:
        found = next((f for f in self._flavors.values() if f.recognises(model)), None)
        if found is None:
            raise InvalidInput(
                f"A {type(model).__name__} is no model of a known flavor.",
                hint=f"There is: {', '.join(self._flavors)}. A function of a table always fits.",
            )
        return found

    def _signed(self, draft: ModelVersion) -> ModelVersion:
        digest = draft.manifest_digest()
        signature = self._signer.sign(signed_message(digest))
        return msgspec.structs.replace(draft, digest=digest, signed=signature)

    def _reseal(self, version: ModelVersion, name: str) -> Seal:
        """Sign a version again under a name; what is not as it was signed is not signed anew."""
        self._check_manifest(version)
        draft = msgspec.structs.replace(
            version, model=name, sealing=SEALING, key_id=self._signer.key_id
        )
        signed = self._signed(draft)
        return Seal(
            number=version.number,
            digest=signed.digest,
            key_id=signed.key_id,
            signed=signed.signed,
        )

    def _check_manifest(self, version: ModelVersion) -> None:
        if version.manifest_digest() != version.digest:
            raise Corrupt(
                f"What is stored about {version.ref} is not what was signed.",
                hint="Rebuild the registry from the event log.",
                model=version.model,
                number=version.number,
            )
        self._signer.check(
            signed_message(version.digest), signature=version.signed, key_id=version.key_id
        )


def is_prompt(tags: Mapping[str, str]) -> bool:
    """Say whether tags are those of a prompt."""
    return tags.get(PROMPT, "").lower() == "true"


def _held_by(
    origin: Origin,
    *,
    flavor: str,
    signature: Signature,
    metadata: Mapping[str, Any] = NOTHING,
) -> dict[str, Any]:
    return {
        "source": origin.source,
        "run_id": origin.run_id or None,
        "logged_model_id": origin.logged_model_id or None,
        "files": origin.files,
        "flavor": flavor,
        "signature": signature,
        "metadata": dict(metadata),
    }


def _copied_version(tx: Transaction, copied: Copied, *, source: str) -> ModelVersion:
    if changes.model_of(tx, copied.name).is_prompt:
        raise InvalidInput(
            f"{copied.name!r} is a prompt, no model.", kind="source", reason="prompt", source=source
        )
    if copied.stage is not None:
        stage = rules.check_stage(copied.stage)
        there = store.list_versions(tx, copied.name, stages=[stage])
        if not there:
            raise NotFound("model version", f"{copied.name} in {stage}")
        return there[0]
    asked = rules.Ref(name=copied.name, number=copied.number, alias=copied.alias)
    return changes.version_of(tx, asked)


def _limit(limit: int) -> int:
    if not 1 <= limit <= PAGE_LIMIT:
        raise InvalidInput(f"A page has 1 to {PAGE_LIMIT} rows, not {limit}.")
    return limit


def _plain(metadata: Mapping[str, Any]) -> dict[str, Any]:
    # As it comes back from the store, so that the digest of what was stored is the one signed.
    try:
        plain: dict[str, Any] = msgspec.json.decode(canonical_json(dict(metadata)))
    except (TypeError, ValueError) as error:
        raise InvalidInput(
            f"Metadata must be JSON: {error}.", hint="Use texts, numbers, lists and dicts."
        ) from error
    return plain
