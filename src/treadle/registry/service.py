"""The verbs of models, their versions and aliases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from treadle.kernel.actors import current_actor
from treadle.kernel.digests import canonical_json
from treadle.kernel.errors import Corrupt, InvalidInput, NotFound
from treadle.kernel.ids import new_id
from treadle.registry import bundle, rules, store
from treadle.registry.entities import Model, ModelVersion, signed_message
from treadle.registry.facts import AliasRemoved, AliasSet, ModelCreated, VersionRegistered
from treadle.registry.flavors.callable import CallableFlavor
from treadle.registry.flavors.sklearn import SklearnFlavor
from treadle.registry.loaded import LoadedModel

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pyarrow as pa

    from treadle.registry.ports import ModelFlavor
    from treadle.storage.events import Event
    from treadle.storage.keys import Signer
    from treadle.storage.ports import MetadataStore, ObjectStore
    from treadle.storage.transaction import Transaction

# The first that recognises a model saves it: the special before the general.
FLAVORS: tuple[ModelFlavor, ...] = (SklearnFlavor(), CallableFlavor())
NOTHING: Mapping[str, Any] = {}


class Registry:
    """Models and their signed versions. May be shared by threads; every verb is one transaction."""

    def __init__(
        self,
        *,
        store: MetadataStore,
        objects: ObjectStore,
        signer: Signer,
        flavors: Sequence[ModelFlavor] = FLAVORS,
    ) -> None:
        self._store = store
        self._objects = objects
        self._signer = signer
        self._flavors = {flavor.name: flavor for flavor in flavors}

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
        rules.check_name(name)
        flavor = self._flavor_for(model)
        given = _plain(metadata)
        signature, files, remembered = bundle.pack(
            model, flavor=flavor, example=example, objects=self._objects
        )
        with self._store.write() as tx:
            if store.add_model(tx, name, at=tx.at):
                tx.emit(ModelCreated(name=name))
            draft = ModelVersion(
                id=new_id(),
                model=name,
                number=store.take_number(tx, name, at=tx.at),
                run_id=run_id,
                flavor=flavor.name,
                files=files,
                digest="",
                signature=signature,
                key_id=self._signer.key_id,
                signed="",
                description=description,
                metadata={**given, **_plain(remembered)},
                created_at=tx.at,
                actor=current_actor(),
            )
            version = self._signed(draft)
            store.add_version(tx, version)
            tx.emit(VersionRegistered(name=name, number=version.number, version=version))
        return version

    def version(self, ref: str) -> ModelVersion:
        """Return a version by `late@3`, `late@champion`, `late@latest` or `late` (the newest)."""
        asked = rules.parse_ref(ref)
        with self._store.read() as tx:
            return _version(tx, asked)

    def versions(self, name: str) -> tuple[ModelVersion, ...]:
        """Return the versions of a model, newest first."""
        with self._store.read() as tx:
            _latest(tx, name)
            return store.list_versions(tx, name)

    def versions_of_run(self, run_id: str) -> tuple[ModelVersion, ...]:
        """Return the versions a run made, oldest first."""
        with self._store.read() as tx:
            return store.versions_of_run(tx, run_id)

    def models(self) -> tuple[Model, ...]:
        """Return every model by name, with its newest number and its aliases."""
        with self._store.read() as tx:
            return store.list_models(tx)

    def load(self, ref: str) -> LoadedModel:
        """Load a version, ready to be asked. Raises Corrupt before anything is unpickled."""
        return self.load_version(self.version(ref))

    def load_version(self, version: ModelVersion) -> LoadedModel:
        """Load a version that is already in hand; it is checked all the same."""
        self._check_manifest(version)
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

    def set_alias(self, name: str, alias: str, number: int) -> None:
        """Point an alias to a version; does nothing when it points there already."""
        rules.check_alias(alias)
        with self._store.write() as tx:
            # Two who move an alias at once: the second must see where the first has put it.
            store.lock_model(tx, name)
            _version(tx, rules.Ref(name=name, number=number))
            previous = store.list_aliases(tx, name).get(alias)
            if previous == number:
                return
            store.put_alias(tx, name, alias=alias, number=number, at=tx.at)
            store.touch_model(tx, name, at=tx.at)
            tx.emit(AliasSet(name=name, alias=alias, number=number, previous=previous))

    def remove_alias(self, name: str, alias: str) -> None:
        """Take an alias away. Raises NotFound with the near miss."""
        with self._store.write() as tx:
            store.lock_model(tx, name)
            _latest(tx, name)
            known = store.list_aliases(tx, name)
            if alias not in known:
                raise NotFound("alias", alias, known=known)
            store.remove_alias(tx, name, alias=alias)
            store.touch_model(tx, name, at=tx.at)
            tx.emit(AliasRemoved(name=name, alias=alias, previous=known[alias]))

    def aliases(self, name: str) -> dict[str, int]:
        """Return where the aliases of a model point."""
        with self._store.read() as tx:
            _latest(tx, name)
            return store.list_aliases(tx, name)

    def rebuild(self, events: Iterable[Event]) -> None:
        """Empty the registry's tables and fill them from the event log; skips others' events."""
        with self._store.write() as tx:
            store.clear(tx)
            for event in events:
                _replay(tx, event)

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


def _latest(tx: Transaction, name: str) -> int:
    latest = store.latest_number(tx, name)
    if latest is None:
        raise NotFound("model", name, known=store.model_names(tx))
    return latest


def _version(tx: Transaction, asked: rules.Ref) -> ModelVersion:
    latest = _latest(tx, asked.name)
    number = latest if asked.number is None else asked.number
    if asked.alias is not None:
        known = store.list_aliases(tx, asked.name)
        if asked.alias not in known:
            raise NotFound("alias", asked.alias, known=known)
        number = known[asked.alias]
    found = store.find_version(tx, asked.name, number)
    if found is None:
        raise NotFound(
            "model version", f"{asked.name}@{number}", hint=f"The newest is {asked.name}@{latest}."
        )
    return found


def _replay(tx: Transaction, event: Event) -> None:
    if event.kind == ModelCreated.kind:
        store.add_model(tx, event.as_fact(ModelCreated).name, at=event.at)
    elif event.kind == VersionRegistered.kind:
        registered = event.as_fact(VersionRegistered)
        store.take_number(tx, registered.name, at=event.at)
        store.add_version(tx, registered.version)
    elif event.kind == AliasSet.kind:
        moved = event.as_fact(AliasSet)
        store.put_alias(tx, moved.name, alias=moved.alias, number=moved.number, at=event.at)
        store.touch_model(tx, moved.name, at=event.at)
    elif event.kind == AliasRemoved.kind:
        removed = event.as_fact(AliasRemoved)
        store.remove_alias(tx, removed.name, alias=removed.alias)
        store.touch_model(tx, removed.name, at=event.at)


def _plain(metadata: Mapping[str, Any]) -> dict[str, Any]:
    # As it comes back from the store, so that the digest of what was stored is the one signed.
    try:
        plain: dict[str, Any] = msgspec.json.decode(canonical_json(dict(metadata)))
    except (TypeError, ValueError) as error:
        raise InvalidInput(
            f"Metadata must be JSON: {error}.", hint="Use texts, numbers, lists and dicts."
        ) from error
    return plain
