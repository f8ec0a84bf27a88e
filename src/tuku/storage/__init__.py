"""Where lakes are kept: a folder on a disk, or a prefix of a bucket."""

from tuku.storage.on_disk import DiskStorage
from tuku.storage.opening import storage_at
from tuku.storage.protocol import GrowingFile, Storage, Stored

__all__ = ["DiskStorage", "GrowingFile", "Storage", "Stored", "storage_at"]
