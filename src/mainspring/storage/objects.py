"""Objects in a bucket (S3, GCS, Azure): requests that are tried again, and errors that say why."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

from mainspring.records.errors import BlobError, ProjectError
from mainspring.records.ports import Buffer
from mainspring.storage import bucket_access

PART = 8 << 20  # bytes: what one request carries
LARGEST_PUT = PART  # bytes: beyond, an object is sent in parts
PARALLEL = 4  # parts at once
_PARTS = 9_000  # of one object, at most
_LONGEST_PAUSE = 5.0  # seconds between two tries
_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>([A-Za-z0-9]{1,64})</Code>|\"reason\": ?\"([A-Za-z]{1,64})\"")
_REFUSED = frozenset(
    {
        *("SignatureDoesNotMatch", "InvalidAccessKeyId", "ExpiredToken", "InvalidToken"),
        *("TokenRefreshRequired", "AuthenticationFailed", "InvalidClientTokenId"),
    }
)
_NO_BUCKET = {"NoSuchBucket", "ContainerNotFound", "InvalidBucketName"}
_NO_CREDENTIALS = ("169.254.169.254", "169.254.170.2", "metadata.google.internal", "msi/token")
_RETRIED = {408, 409, 425, 429, 500, 502, 503, 504}

T = TypeVar("T")


class AbsentError(Exception):
    """No such object."""


class _DeniedError(BlobError):
    """The store said no, and not why."""


class _AwayError(Exception):
    """The store can't be reached, or is too busy: to try again is right."""


class Objects:
    """The objects below a prefix. Nothing is opened before the first request.

    The client has threads, which do not survive a fork: the process that makes the first request
    is the only one that may use it, unless all of them begin with `fork`.
    """

    def __init__(self, url: bucket_access.BucketUrl, variables: Mapping[str, str]) -> None:
        self.url = url
        self._variables = variables
        self.patience = bucket_access.patience(variables)
        self._clients: tuple[Any, Any] | None = None
        self._found_bucket = False

    def __repr__(self) -> str:
        return f"Objects({str(self.url)!r})"

    def size(self, key: str) -> int:
        """The bytes of an object. Raises AbsentError, BlobError."""
        obstore = _obstore()
        try:
            found = self._call("read", lambda: obstore.head(self._client(), self._at(key)))
        except AbsentError:
            self._check_bucket()
            raise
        except _DeniedError:
            # An answer to HEAD has no body: why, an answer to GET tells.
            self.read_range(key, 0, 1)
            raise
        self._found_bucket = True
        return found["size"]

    def put(self, key: str, data: Buffer) -> bool:
        """Store bytes in one request; False if there is an object already."""
        obstore = _obstore()
        view = memoryview(data).cast("B")
        made = self._call(
            "write", lambda: obstore.put(self._client(), self._at(key), view, mode="create")
        )
        return made is not None

    def put_parts(
        self, key: str, content: Callable[[], Path | Iterator[Buffer]], size: int
    ) -> None:
        """Store in parts; there is no object before all of them have arrived.

        `content` gives it, from its start again at each call: a file, which the client reads
        without this interpreter's lock, or pieces. What these raise aborts the upload.
        """
        obstore = _obstore()
        part = max(PART, -(-size // _PARTS))

        def send() -> object:
            return obstore.put(
                self._client(bulk=True), self._at(key), content(),
                chunk_size=part, max_concurrency=PARALLEL, use_multipart=True,
            )  # fmt: skip

        self._call("write", send)

    def replace(self, key: str, data: Buffer) -> None:
        """Store bytes in one request, whatever was there before."""
        obstore = _obstore()
        view = memoryview(data).cast("B")
        self._call("write", lambda: obstore.put(self._client(), self._at(key), view))

    def read(self, key: str) -> bytes:
        """All bytes of an object. Raises AbsentError, BlobError."""
        obstore = _obstore()

        def fetch() -> bytes:
            return obstore.get(self._client(), self._at(key)).bytes().to_bytes()

        return self._call("read", fetch)

    def read_range(self, key: str, start: int, end: int) -> Buffer:
        """Some bytes of an object. Raises AbsentError, BlobError."""
        obstore = _obstore()
        return self._call(
            "read",
            lambda: memoryview(
                obstore.get_range(self._client(), self._at(key), start=start, end=end)
            ),
        )

    def list(self, folder: str) -> Iterator[list[tuple[str, int, float]]]:
        """Key (below the prefix), bytes and time of each object in a folder, page by page."""
        cut = len(self._at(""))
        pages = _Pages(lambda offset: self._listing(folder, offset))
        while metas := self._call("list", pages.next):
            yield [(m["path"][cut:], m["size"], m["last_modified"].timestamp()) for m in metas]

    def _listing(self, folder: str, offset: str | None) -> Iterator[Any]:
        return iter(
            _obstore().list(self._client(), self._at(folder), offset=offset, chunk_size=1000)
        )

    def delete(self, key: str) -> None:
        """Remove an object; one that is not there is no error."""
        obstore = _obstore()
        try:
            self._call("delete", lambda: obstore.delete(self._client(), self._at(key)))
        except AbsentError:
            return

    def move(self, key: str, to: str) -> None:
        """Give an object another key."""
        obstore = _obstore()
        self._call("write", lambda: obstore.copy(self._client(), self._at(key), self._at(to)))
        self.delete(key)

    # How requests are made

    def _at(self, key: str) -> str:
        return f"{self.url.prefix}/{key}" if self.url.prefix else key

    def _client(self, *, bulk: bool = False) -> Any:
        if self._clients is None:
            self._clients = (self._open(0), self._open(1000))
        return self._clients[bulk]

    def _open(self, retries: int) -> Any:
        """A client; it tries again by itself only within uploads of many parts."""
        store = _obstore().store
        kinds = {"s3": store.S3Store, "gs": store.GCSStore, "az": store.AzureStore}
        config = bucket_access.store_config(self.url, self._variables)
        endpoint = config.get("aws_endpoint") or config.get("azure_storage_endpoint", "https://")
        if self.url.scheme == "s3" and bucket_access.is_private(endpoint):
            config["aws_unsigned_payload"] = "true"  # hashing every byte once more costs a third
        options = {
            "allow_http": endpoint.startswith("http://"),
            "connect_timeout": timedelta(seconds=5),
            "timeout": timedelta(minutes=5),
            **bucket_access.proxy_of(endpoint, self._variables),
        }
        backoff = {"max_backoff": timedelta(seconds=_LONGEST_PAUSE)}
        try:
            return kinds[self.url.scheme](
                self.url.bucket,
                config=config,
                client_options=options,
                retry_config={
                    "max_retries": retries,
                    "retry_timeout": timedelta(seconds=max(self.patience, 1)),
                    "backoff": backoff,
                },
            )
        except Exception as error:
            # Its words may repeat the configuration, which has secrets.
            raise ProjectError(
                f"the environment does not say how to reach {self.url} ({type(error).__name__})",
                where="storage.blobs",
                hint="see docs/guide/object-storage.md for the variables of each kind of store",
            ) from None

    def _call(self, doing: str, request: Callable[[], T]) -> T:
        """Make a request, again and again while the store is away. None: it is there already."""
        deadline = 0.0
        pause = 0.1
        while True:
            try:
                return request()
            except Exception as error:
                if isinstance(error, BlobError | ProjectError):
                    raise
                fault = self._explain(error, doing)
            if fault is None:
                return None  # pyright: ignore[reportReturnType]
            if not isinstance(fault, _AwayError):
                raise fault
            deadline = deadline or monotonic() + self.patience
            if monotonic() + pause > deadline:
                raise self._away(fault)
            time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _explain(self, error: Exception, doing: str) -> Exception | None:
        """The error to raise; None when an object that was to be made is there already.

        The client's own words are not repeated: they can hold a signed URL or a token.
        """
        text = str(error)
        kind = type(error).__name__
        status = int(found[1]) if (found := _STATUS.search(text)) else 0
        code = (found[1] or found[2]) if (found := _CODE.search(text)) else ""
        if any(place in text for place in _NO_CREDENTIALS):
            return self._no_credentials()
        if kind == "AlreadyExistsError" and doing == "write":
            return None
        if code in _NO_BUCKET:
            return self._no_bucket()
        if isinstance(error, FileNotFoundError) or status == 404:
            return AbsentError()
        if status in (401, 403) or kind in ("PermissionDeniedError", "UnauthenticatedError"):
            return self._denied(doing, status, code)
        if 400 <= status < 500 and status not in _RETRIED and code != "RequestTimeout":
            return BlobError(f"{self.url} refused to {doing}: {code or status}")
        return _AwayError(code or str(status or ""))

    def _check_bucket(self) -> None:
        """An answer to HEAD has no body: whether it was the bucket that is missing, GET tells."""
        if not self._found_bucket:
            try:
                next(self.list("blake3"), None)
            except AbsentError:
                raise self._no_bucket() from None
            self._found_bucket = True

    def _denied(self, doing: str, status: int, code: str) -> BlobError:
        if status == 401 or code in _REFUSED:
            return BlobError(
                f"{self.url} does not accept these credentials ({code or status})",
                hint="check the access key and secret, the region, and this machine's clock",
            )
        return _DeniedError(
            f"no permission to {doing} in {self.url}",
            hint=f"ask for the right to {doing} objects there, or check which credentials are used",
        )

    def _no_bucket(self) -> BlobError:
        return BlobError(
            f"there is no bucket {self.url.bucket!r}",
            hint="make it, or check MAINSPRING_BLOBS and storage.blobs",
        )

    def _no_credentials(self) -> BlobError:
        return BlobError(
            f"no credentials for {self.url}",
            hint="set them in the environment or in a profile file: docs/guide/object-storage.md",
        )

    def _away(self, fault: Exception) -> BlobError:
        said = f" ({fault})" if str(fault) else ""
        return BlobError(
            f"can't reach the store of {self.url}{said}; gave up after {self.patience:.0f} seconds",
            hint="check the network and AWS_ENDPOINT_URL, then run again: what is done is kept",
        )


def _obstore() -> Any:
    try:
        import obstore
        import obstore.store  # pyright: ignore[reportUnusedImport]
    except ImportError:
        raise ProjectError(
            "blobs in a bucket need the package obstore, which is not installed",
            where="storage.blobs",
            hint='pip install "mainspring[cloud]"',
        ) from None
    return obstore


class _Pages:
    """The pages of a listing, in the order of keys; after a page that failed it goes on behind
    the last one that came, also where a service knows no offset (some of Azure's)."""

    def __init__(self, begin: Callable[[str | None], Iterator[Any]]) -> None:
        self._begin = begin
        self._pages: Iterator[Any] | None = None
        self._last: str | None = None

    def next(self) -> list[Any]:
        """The next page; empty at the end."""
        while True:
            if self._pages is None:
                self._pages = self._begin(self._last)
            try:
                page = list(next(self._pages, ()))
            except Exception:
                self._pages = None
                raise
            last = self._last
            fresh = [meta for meta in page if last is None or meta["path"] > last]
            if fresh or not page:
                self._last = fresh[-1]["path"] if fresh else last
                return fresh
