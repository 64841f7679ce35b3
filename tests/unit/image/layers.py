"""Layers made by hand for the tests of what reads them."""

from __future__ import annotations

import gzip
import io
import tarfile


def layer(*members: tuple[str, bytes | None] | tarfile.TarInfo, compress: bool = False) -> io.BytesIO:
    """A layer of files (path and bytes), folders (path and None) and members made elsewhere."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:", format=tarfile.PAX_FORMAT) as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
                continue
            path, data = member
            info = tarfile.TarInfo(path)
            if data is None:
                info.type = tarfile.DIRTYPE
                archive.addfile(info)
            else:
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    data = stream.getvalue()
    return io.BytesIO(gzip.compress(data) if compress else data)


def link(path: str, target: str, kind: bytes = tarfile.LNKTYPE) -> tarfile.TarInfo:
    """A hard link, or with `tarfile.SYMTYPE` a symbolic one."""
    info = tarfile.TarInfo(path)
    info.type, info.linkname = kind, target
    return info


def metadata(name: str, version: str, *more: str) -> bytes:
    """A METADATA file."""
    return "\n".join(["Metadata-Version: 2.4", f"Name: {name}", f"Version: {version}", *more, "", "Long text"]).encode()


def paragraph(name: str, version: str, *more: str, status: str = "install ok installed") -> bytes:
    """A paragraph of dpkg's status file."""
    lines = [f"Package: {name}", f"Status: {status}", "Architecture: amd64", *more, f"Version: {version}"]
    return "\n".join([*lines, "Description: x", " Version: none of this", "", ""]).encode()


def endless(header: bytes, chunk: bytes, count: int) -> io.BytesIO:
    """A gzip stream of a header and then `count` times a chunk; small, whatever it unpacks to."""
    stream = io.BytesIO()
    with gzip.GzipFile(fileobj=stream, mode="wb", compresslevel=1) as file:
        file.write(header)
        for _ in range(count):
            file.write(chunk)
    return io.BytesIO(stream.getvalue())
