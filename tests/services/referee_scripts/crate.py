"""Validate an RO-Crate with roc-validator: CONTEXT CRATE PROFILE. No web site is asked."""

import sys
from pathlib import Path

import requests
from rocrate_validator import models, services

CONTEXT = "https://w3id.org/ro/crate/1.1/context"
context, crate, profile = sys.argv[1:]


def send(adapter, request, **options):
    """The one document that a crate of ours may refer to."""
    found = requests.Response()
    found.request, found.url = request, request.url
    found.status_code = 200 if request.url == CONTEXT else 404
    found._content = Path(context).read_bytes() if request.url == CONTEXT else b""
    found.headers["Content-Type"] = "application/ld+json"
    return found


requests.adapters.HTTPAdapter.send = send
settings = services.ValidationSettings(
    rocrate_uri=crate,
    profile_identifier=profile,
    requirement_severity=models.Severity.REQUIRED,
    no_cache=True,
)
result = services.validate(settings)
for issue in result.get_issues():
    print(issue.severity.name, issue.check.identifier, issue.violatingEntity, issue.message)
print("passed" if result.passed() else "refused", profile)
sys.exit(not result.passed())
