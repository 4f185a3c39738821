"""How a bucket is reached: its URL, and what the environment says about credentials."""

from __future__ import annotations

import configparser
import os
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec

from mainspring.records.errors import ProjectError

SCHEMES = {"s3": "s3", "gs": "gs", "az": "az", "azure": "az"}
_PREFIXES = ("AWS_", "GOOGLE_", "AZURE_")
_ALSO = frozenset(
    {
        *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "MAINSPRING_BLOBS_PATIENCE"),
        *("IDENTITY_ENDPOINT", "IDENTITY_HEADER", "MSI_ENDPOINT", "MSI_SECRET"),
    }
)
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_PATIENCE = 180.0
_EXAMPLE = "write it as s3://bucket/prefix, gs://bucket/prefix or az://container/prefix"
# What each kind of store is told of the environment (`AWS_X` is `aws_x` there).
_KNOWN = {
    "s3": (
        *("aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_region"),
        *("aws_default_region", "aws_web_identity_token_file", "aws_role_arn"),
        *("aws_role_session_name", "aws_endpoint_url_sts", "aws_skip_signature"),
        *("aws_container_credentials_relative_uri", "aws_container_credentials_full_uri"),
        *("aws_container_authorization_token_file", "aws_virtual_hosted_style_request"),
        *("aws_metadata_endpoint", "aws_request_payer", "aws_imdsv1_fallback"),
        *("aws_server_side_encryption", "aws_sse_kms_key_id", "aws_sse_bucket_key_enabled"),
    ),
    "gs": (
        *("google_service_account", "google_service_account_key", "google_service_account_path"),
        *("google_application_credentials", "google_skip_signature"),
    ),
    "az": (
        *("azure_storage_account_name", "azure_storage_account_key", "azure_storage_access_key"),
        *("azure_storage_sas_key", "azure_storage_sas_token", "azure_storage_token"),
        *("azure_storage_client_id", "azure_storage_client_secret", "azure_storage_tenant_id"),
        *("azure_client_id", "azure_client_secret", "azure_tenant_id", "azure_authority_host"),
        *("azure_federated_token_file", "azure_msi_endpoint", "azure_use_azure_cli"),
        *("azure_storage_endpoint", "azure_storage_use_emulator", "azure_skip_signature"),
    ),
}


class BucketUrl(msgspec.Struct, frozen=True):
    """`s3://bucket/prefix`, in parts; the prefix has no slash at its ends."""

    scheme: str
    bucket: str
    prefix: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.bucket}" + (f"/{self.prefix}" if self.prefix else "")


def parse_url(text: str) -> BucketUrl:
    """Take a URL apart. Raises ProjectError, which never repeats credentials that are in it."""
    where = "storage.blobs"
    if "@" in text.partition("://")[2].partition("/")[0]:
        raise ProjectError(
            "the URL of the blobs has credentials in it",
            where=where,
            hint="give them in the environment (AWS_ACCESS_KEY_ID, ...) or in a profile file",
        )
    try:
        parts = urlsplit(text)
    except ValueError:
        raise ProjectError("not a URL", where=where, hint=_EXAMPLE) from None
    if parts.query or parts.fragment:
        raise ProjectError(
            "the URL of the blobs has a query or a fragment", where=where, hint=_EXAMPLE
        )
    if parts.scheme not in SCHEMES:
        known = ", ".join(f"{name}://" for name in ("s3", "gs", "az"))
        raise ProjectError(
            f"blobs can't be kept at {parts.scheme or 'a plain path'}: there is {known}",
            where=where,
            hint=_EXAMPLE,
        )
    if not _BUCKET.fullmatch(parts.netloc):
        raise ProjectError(f"not the name of a bucket: {parts.netloc!r}", where=where)
    return BucketUrl(SCHEMES[parts.scheme], parts.netloc, _prefix(parts.path, where))


def _prefix(path: str, where: str) -> str:
    names = [name for name in unquote(path).split("/") if name]
    for name in names:
        if name in (".", "..") or not name.isprintable():
            raise ProjectError(f"not a name in the prefix of a bucket: {name!r}", where=where)
    return "/".join(names)


def access_variables(source: Mapping[str, str]) -> dict[str, str]:
    """What another process on this machine needs to open the same blobs: secrets are among it."""
    return {
        name: value
        for name, value in source.items()
        if name.startswith(_PREFIXES) or name.upper() in _ALSO
    }


def patience(variables: Mapping[str, str]) -> float:
    """Seconds for which a store that is away is waited for. Raises ProjectError."""
    text = variables.get("MAINSPRING_BLOBS_PATIENCE")
    try:
        seconds = _PATIENCE if not text else float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < 1e6:
        raise ProjectError(
            "must be a number of seconds", where="MAINSPRING_BLOBS_PATIENCE", hint="such as 180"
        )
    return seconds


def store_config(url: BucketUrl, variables: Mapping[str, str]) -> dict[str, str]:
    """The options of the store's client, as the environment has them."""
    lower = {name.lower(): value for name, value in variables.items() if value}
    config = {name: lower[name] for name in _KNOWN[url.scheme] if name in lower}
    if url.scheme != "s3":
        if endpoint := config.get("azure_storage_endpoint"):
            _check_endpoint(endpoint, lower, "AZURE_STORAGE_ENDPOINT", "AZURE_ALLOW_HTTP")
        return config
    if "aws_access_key_id" not in config and "aws_web_identity_token_file" not in config:
        config |= _profile(variables)
    endpoint = lower.get("aws_endpoint_url_s3") or lower.get("aws_endpoint_url")
    if endpoint:
        config["aws_endpoint"] = endpoint.rstrip("/")
        config.setdefault("aws_region", config.pop("aws_default_region", "us-east-1"))
        _check_endpoint(endpoint, lower, "AWS_ENDPOINT_URL", "AWS_ALLOW_HTTP")
    return config


def proxy_of(endpoint: str, variables: Mapping[str, str]) -> dict[str, str]:
    """The options for the proxy that the environment names."""
    upper = {name.upper(): value for name, value in variables.items()}
    host = urlsplit(endpoint).hostname
    kind = "HTTP_PROXY" if endpoint.startswith("http://") else "HTTPS_PROXY"
    if host in _LOOPBACK or not upper.get(kind):
        return {}
    return {"proxy_url": upper[kind], "proxy_excludes": upper.get("NO_PROXY", "")}


def is_private(endpoint: str) -> bool:
    """Whether nobody can change what is sent there: over TLS, or within this machine."""
    return not endpoint.startswith("http://") or urlsplit(endpoint).hostname in _LOOPBACK


def _check_endpoint(endpoint: str, lower: Mapping[str, str], where: str, allowed: str) -> None:
    try:
        parts = urlsplit(endpoint)
        host = parts.hostname
    except ValueError:
        host = None
    if not host or not endpoint.startswith(("http://", "https://")):
        raise ProjectError("not the URL of a server", where=where, hint="https://host:port")
    if "@" in endpoint:
        raise ProjectError("has credentials in it", where=where)
    if not is_private(endpoint) and lower.get(allowed.lower(), "").lower() != "true":
        raise ProjectError(
            f"plain http to another machine ({host}): what is sent could be read and changed",
            where=where,
            hint=f"use https, or set {allowed}=true in a network that you trust",
        )


def _profile(variables: Mapping[str, str]) -> dict[str, str]:
    """Credentials and region of a profile, from the files that the AWS tools share."""
    home = os.path.expanduser("~/.aws")
    name = variables.get("AWS_PROFILE", "default")
    found: dict[str, str] = {}
    for variable, file, section in (
        ("AWS_CONFIG_FILE", "config", name if name == "default" else f"profile {name}"),
        ("AWS_SHARED_CREDENTIALS_FILE", "credentials", name),
    ):
        parser = configparser.RawConfigParser()
        path = Path(variables.get(variable) or os.path.join(home, file))
        try:
            parser.read_string(path.read_text("utf-8"))
        except (OSError, ValueError):
            continue
        except configparser.Error:
            raise ProjectError("not a profile file", where=str(path)) from None
        if parser.has_section(section):
            found |= dict(parser.items(section))
    if "AWS_PROFILE" in variables and not found:
        raise ProjectError(f"there is no profile {name!r}", where="AWS_PROFILE")
    wanted = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
    config = {key: found[key] for key in wanted if key in found}
    if "region" in found and not {"AWS_REGION", "AWS_DEFAULT_REGION"} & set(variables):
        config["aws_region"] = found["region"]
    return config
