"""Check a capsule's envelope with securesystemslib and its statement with in-toto-attestation."""

import hashlib
import json
import sys
import zipfile

from cryptography.hazmat.primitives.serialization import load_pem_public_key
from google.protobuf import json_format
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey

with zipfile.ZipFile(sys.argv[1]) as capsule:
    sealed = json.loads(capsule.read("provenance.dsse.json"))
    key = SSlibKey.from_crypto(load_pem_public_key(capsule.read("signer.pem")))
    key.keyid = sealed["signatures"][0]["keyid"]
    envelope = Envelope.from_dict(sealed)
    envelope.verify([key], 1)
    assert envelope.payload_type == "application/vnd.in-toto+json"
    body = json.loads(envelope.payload)
    Statement.copy_from_pb(json_format.ParseDict(body, statement_pb2.Statement())).validate()
    for subject in body["subject"]:
        found = hashlib.sha256(capsule.read(subject["name"])).hexdigest()
        assert found == subject["digest"]["sha256"], subject["name"]
print(json.dumps(body))
