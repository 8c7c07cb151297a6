"""OpenStack Swift with its S3 interface: a proxy, three storage servers and memcached on loopback.

All of it lies in one folder; one zone, one disk, one copy.
"""

from __future__ import annotations

import getpass
import os
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

USER, KEY = "test:tester", "testing"
STORAGE = ("account", "container", "object")

RINGS = """
import sys
from swift.common.ring import RingBuilder

folder, *ports = sys.argv[1:]
for kind, port in zip(("account", "container", "object"), ports):
    builder = RingBuilder(part_power=2, replicas=1, min_part_hours=0)
    builder.add_dev({
        "id": 0, "region": 1, "zone": 1, "ip": "127.0.0.1", "port": int(port), "device": "disk",
        "weight": 1.0, "replication_ip": "127.0.0.1", "replication_port": int(port), "meta": "",
    })
    builder.rebalance()
    builder.get_ring().save(f"{folder}/{kind}.ring.gz")
"""

HASH = "[swift-hash]\nswift_hash_path_suffix = tests\nswift_hash_path_prefix = tests\n"

COMMON = """
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
user = {user}
swift_dir = {folder}
devices = {folder}
mount_check = false
fallocate_reserve = 0
disable_fallocate = true
"""

STORAGE_SERVER = (
    COMMON
    + """
[pipeline:main]
pipeline = {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
recon_cache_path = {folder}
"""
)

# The order is Swift's own; s3api must come before who asks for a name and password.
PROXY = (
    COMMON
    + """
[pipeline:main]
pipeline = catch_errors cache s3api tempauth copy slo dlo versioned_writes symlink proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:{memcached}
[filter:s3api]
use = egg:swift#s3api
s3_acl = false
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
[filter:copy]
use = egg:swift#copy
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_object_versioning = true
[filter:symlink]
use = egg:swift#symlink
"""
)


class Ports(NamedTuple):
    """Where each of the servers listens."""

    proxy: int
    memcached: int
    account: int
    container: int
    object: int


def write_swift(folder: Path, ports: Ports) -> Mapping[str, list[str]]:
    """Write all that the servers read; return the arguments of each, the proxy last."""
    (folder / "disk").mkdir()
    (folder / "swift.conf").write_text(HASH)
    given = {"folder": folder, "user": getpass.getuser(), "memcached": ports.memcached}
    for kind in STORAGE:
        text = STORAGE_SERVER.format(kind=kind, port=getattr(ports, kind), **given)
        (folder / f"{kind}.conf").write_text(text)
    (folder / "proxy.conf").write_text(PROXY.format(port=ports.proxy, **given))
    memcached = ["memcached", "-l", "127.0.0.1", "-p", str(ports.memcached), "-m", "8"]
    memcached += ["-u", "root"] if os.geteuid() == 0 else []
    servers = {kind: [f"swift-{kind}-server", str(folder / f"{kind}.conf")] for kind in STORAGE}
    proxy = ["swift-proxy-server", str(folder / "proxy.conf")]
    return {"memcached": memcached, **servers, "proxy": proxy}
