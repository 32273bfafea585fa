"""Signatures and time stamps: bound to what was signed, and each thing that fails is named."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import aavqc
from aavqc.batch import BatchReport, run
from aavqc.batch.alone import alone
from aavqc.batch.audit import append, read_trail
from aavqc.batch.recorder import STORE, file_hash
from aavqc.batch.signatures import sign
from aavqc.batch.verify import Verification, verify
from aavqc.cli import app
from aavqc.errors import EXIT_VERIFY, InputError, UsageError, VerificationError
from aavqc.exchange import export
from aavqc.signing import SignatureDocument, Trust, checked
from aavqc.signing.ed25519 import Ed25519Signer
from aavqc.signing.timestamps import CommandTimeStamper, load_trust
from aavqc.store import Anchor, Store
from test_verify_out import small_lot

WHO = {"name": "Q. A. Person", "meaning": "review"}


@pytest.fixture(scope="module")
def done(example_lot: Path, tmp_path_factory: pytest.TempPathFactory) -> BatchReport:
    folder = tmp_path_factory.mktemp("signing")
    return run(small_lot(example_lot, folder), folder / "out")


@pytest.fixture
def out(done: BatchReport, tmp_path: Path) -> Path:
    """A copy of the lot with its OUT, which may be signed and altered."""
    shutil.copytree(done.out.parent, tmp_path / "copy")
    return tmp_path / "copy" / "out"


def openssl(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["openssl", *map(str, arguments)], capture_output=True, check=True, **options)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two key pairs made by somebody else's program: mine.pem, mine.pub, theirs.pem, theirs.pub."""
    if shutil.which("openssl") is None:
        message = "no openssl: apt-get install openssl"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    folder = tmp_path_factory.mktemp("keys")
    for name in ("mine", "theirs"):
        openssl("genpkey", "-algorithm", "ed25519", "-out", folder / f"{name}.pem")
        openssl("pkey", "-in", folder / f"{name}.pem", "-pubout", "-out", folder / f"{name}.pub")
    return folder


@pytest.fixture(scope="module")
def authority(keys: Path) -> Path:
    """A stub of a time-stamping authority: root.pem, and a command that answers requests."""
    for name in ("root", "other"):
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", keys / f"{name}.key",
                "-out", keys / f"{name}.pem", "-days", "30", "-subj", f"/CN={name} of the tests")  # fmt: skip
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", keys / "tsa.key", "-out", keys / "tsa.csr",
            "-subj", "/CN=stub of an authority")  # fmt: skip
    (keys / "extensions").write_text(
        "extendedKeyUsage=critical,timeStamping\nkeyUsage=critical,digitalSignature\nbasicConstraints=CA:FALSE\n"
    )
    openssl("x509", "-req", "-in", keys / "tsa.csr", "-CA", keys / "root.pem", "-CAkey", keys / "root.key",
            "-CAcreateserial", "-out", keys / "tsa.pem", "-extfile", keys / "extensions")  # fmt: skip
    (keys / "serial").write_text("01\n")
    (keys / "tsa.cnf").write_text(
        f"[tsa]\nserial={keys}/serial\nsigner_cert={keys}/tsa.pem\nsigner_key={keys}/tsa.key\n"
        f"signer_digest=sha256\ndefault_policy=1.2.3.4.1\ndigests=sha256\n"
        "ess_cert_id_alg=sha256\n"
    )
    return keys


def command(authority: Path) -> str:
    config = shlex.quote(str(authority / "tsa.cnf"))
    return f"openssl ts -reply -config {config} -section tsa -queryfile /dev/stdin"


def look(out: Path, trust: Trust | None = None) -> Verification:
    return verify(out, source=out.parent / "lot", again=False, trust=trust)


def load(path: Path) -> SignatureDocument:
    return SignatureDocument.model_validate_json(path.read_text(encoding="utf-8"))


@pytest.mark.req("LIMS-SIGN-1")
def test_signature_binds_name_time_and_meaning_to_the_folder(out: Path, keys: Path) -> None:
    before = read_trail(out / "audit.jsonl")
    path = sign(out, Ed25519Signer.load(keys / "mine.pem"), **WHO)
    document = load(path)
    schema = Path(aavqc.__file__).parent / "schemas" / "signature.json"
    jsonschema.validate(json.loads(path.read_bytes()), json.loads(schema.read_text(encoding="utf-8")))
    said = document.statement
    assert (said.chain, said.length, said.head) == (before.chain, len(before.entries), before.head)
    assert [(lot.file, lot.sha256) for lot in said.lots] == [
        ("lots/EX24-001.json", hashlib.sha256((out / "lots" / "EX24-001.json").read_bytes()).hexdigest())
    ]
    assert read_trail(out / "audit.jsonl").entries[-1].actor == "Q. A. Person"
    report = look(out)
    assert not report.findings
    assert any("Q. A. Person, review" in line and "nobody vouches" in line for line in report.checked)


def test_others_find_the_signature_good(out: Path, keys: Path, tmp_path: Path) -> None:
    plain = json.loads(sign(out, Ed25519Signer.load(keys / "mine.pem"), **WHO).read_bytes())
    (tmp_path / "signature").write_bytes(base64.b64decode(plain.pop("signature")))
    del plain["token"]  # what is left, as the documentation says it is written
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    (tmp_path / "signed").write_bytes(text.encode())
    openssl("pkeyutl", "-verify", "-pubin", "-inkey", keys / "mine.pub", "-rawin",
            "-in", tmp_path / "signed", "-sigfile", tmp_path / "signature")  # fmt: skip


@pytest.mark.req("LIMS-SIGN-2")
def test_no_word_of_a_signature_can_be_changed(out: Path, keys: Path) -> None:
    document = load(sign(out, Ed25519Signer.load(keys / "mine.pem"), **WHO))
    assert checked(document, Trust())
    said = document.statement
    others = [
        document.model_copy(update={"statement": said.model_copy(update=changed)})
        for changed in (
            {"name": "Somebody else"}, {"meaning": "approval"}, {"time": "2020-01-01T00:00:00+00:00"},
            {"head": "0" * 64}, {"length": 1}, {"chain": "0" * 64}, {"lots": []},
            {"lots": [said.lots[0].model_copy(update={"overall": "PASS" * 2})]},
        )
    ]  # fmt: skip
    others += [
        document.model_copy(update={"public_key": Ed25519Signer.load(keys / "theirs.pem").public_key}),
        document.model_copy(update={"public_key": "no key"}),
        document.model_copy(update={"signature": base64.b64encode(bytes(64)).decode()}),
        document.model_copy(update={"signature": "no base64"}),
    ]
    for other in others:
        with pytest.raises(VerificationError, match="altered bytes"):
            checked(other, Trust())
    with pytest.raises(VerificationError, match=r"no way to check.*ed25519"):
        checked(document.model_copy(update={"algorithm": "rsa"}), Trust())


@pytest.mark.parametrize("what", ["altered", "missing", "added"])
def test_signature_can_not_be_altered_taken_away_or_added_unnoticed(out: Path, keys: Path, what: str) -> None:
    path = sign(out, Ed25519Signer.load(keys / "mine.pem"), **WHO)
    if what == "altered":
        path.write_text(path.read_text(encoding="utf-8").replace("review", "approval"), encoding="utf-8")
    elif what == "missing":
        path.unlink()
    else:
        shutil.copy(path, path.with_name("000099.json"))
    finding = look(out).findings[0]
    assert what in finding.message
    assert finding.file == ("signatures/000099.json" if what == "added" else f"signatures/{path.name}")


def test_signature_can_not_be_moved_to_another_folder(out: Path, keys: Path, tmp_path: Path) -> None:
    shutil.copytree(out.parent, tmp_path / "other")
    other = tmp_path / "other" / "out"
    path = sign(out, Ed25519Signer.load(keys / "mine.pem"), **WHO)
    run(tmp_path / "other" / "lot", other)  # another history
    (other / "signatures").mkdir()
    shutil.copy(path, other / "signatures")
    trail = read_trail(other / "audit.jsonl")
    file = f"signatures/{path.name}"
    said = {"run": trail.entries[-1].run, "event": "signed", "file": file, "sha256": file_hash(other / file)}
    entry, _ = append(other / "audit.jsonl", trail.entries[-1], trail.size, said)
    Store(other / STORE).advance(Anchor(trail.chain, entry.seq, entry.hash))
    (finding,) = look(other).findings
    assert (finding.file, finding.message) == (file, "a signature of something else")


def test_only_trusted_keys_may_sign(out: Path, keys: Path) -> None:
    path = sign(out, Ed25519Signer.load(keys / "mine.pem"), **WHO)
    assert not look(out, load_trust([keys / "theirs.pub", keys / "mine.pub"])).findings
    (finding,) = look(out, load_trust([keys / "theirs.pub"])).findings
    assert "not trusted" in finding.message
    assert finding.file == f"signatures/{path.name}"


@pytest.mark.req("LIMS-SIGN-3")
def test_signature_holds_until_a_lot_is_judged_anew(out: Path, keys: Path) -> None:
    lot, signer = out.parent / "lot", Ed25519Signer.load(keys / "mine.pem")
    first = sign(out, signer, **WHO)
    run(lot, out)  # nothing new: the trail goes on
    sign(out, signer, name="H. Qualified", meaning="approval")
    assert not look(out).findings
    text = (lot / "specification.toml").read_text(encoding="utf-8")
    (lot / "specification.toml").write_text(text.replace("8.00E12", "9.00E12"), encoding="utf-8")
    run(lot, out)
    findings = look(out).findings
    assert [f.message for f in findings] == ["lots/EX24-001.json was written again since it was signed"] * 2
    assert findings[0].file == f"signatures/{first.name}"
    sign(out, signer, **WHO)
    report = look(out)
    assert not report.findings
    assert sum("an earlier state" in line for line in report.checked) == 2


@pytest.mark.req("LIMS-TIME-1")
def test_time_stamp_is_checked_by_the_root_of_its_authority(out: Path, authority: Path) -> None:
    signer = Ed25519Signer.load(authority / "mine.pem")
    path = sign(out, signer, stamper=CommandTimeStamper(command(authority)), **WHO)
    document = load(path)
    said = checked(document, load_trust([authority / "root.pem"]))
    assert "stamped 20" in said
    assert "not checked" in checked(document, Trust())
    with pytest.raises(VerificationError, match="time stamp is none of this signature"):
        checked(document, load_trust([authority / "other.pem"]))
    of_other = CommandTimeStamper(command(authority)).stamp(hashlib.sha256(b"another signature").digest())
    for token in (of_other, b"no token", b""):
        moved = document.model_copy(update={"token": base64.b64encode(token).decode()})
        with pytest.raises(VerificationError, match="time stamp is none of this signature"):
            checked(moved, load_trust([authority / "root.pem"]))


@pytest.mark.parametrize("failing", ["false", "echo no token", "no-such-program-here"])
def test_nothing_is_signed_where_no_time_is_to_be_had(out: Path, keys: Path, failing: str) -> None:
    before = (out / "audit.jsonl").read_bytes()
    with pytest.raises(UsageError, match="no time stamp"):
        sign(out, Ed25519Signer.load(keys / "mine.pem"), stamper=CommandTimeStamper(failing), **WHO)
    assert (out / "audit.jsonl").read_bytes() == before
    assert not look(out).findings


def test_command_that_is_none_is_refused() -> None:
    for text in ("", "curl 'unfinished"):
        with pytest.raises(UsageError, match="no usable command"):
            CommandTimeStamper(text)


class Seal:
    """A signer of somebody else's: what the protocol asks, and no more."""

    algorithm = "seal"
    public_key = "none"

    def sign(self, data: bytes) -> bytes:
        return hmac.digest(b"secret", data, "sha256")


def test_any_signer_will_do(out: Path) -> None:
    sign(out, Seal(), **WHO)
    assert "no way to check" in look(out).findings[0].message

    def verifier(data: bytes, signature: bytes, public_key: str) -> bool:
        return hmac.compare_digest(hmac.digest(b"secret", data, "sha256"), signature)

    assert not look(out, Trust(verifiers={"seal": verifier})).findings


def test_what_is_altered_or_unfinished_is_not_signed(out: Path, keys: Path) -> None:
    signer = Ed25519Signer.load(keys / "mine.pem")
    lot = out / "lots" / "EX24-001.json"
    data = lot.read_bytes()
    lot.write_bytes(data.replace(b"PASS", b"FAIL", 1))
    with pytest.raises(VerificationError, match=r"lots/EX24-001\.json: altered"):
        sign(out, signer, **WHO)
    lot.write_bytes(data)
    trail = out / "audit.jsonl"
    trail.write_bytes(trail.read_bytes() + b'{"torn')
    with pytest.raises(VerificationError, match="unfinished"):
        sign(out, signer, **WHO)
    with pytest.raises(InputError, match="no output folder"):
        sign(out / "nowhere", signer, **WHO)


def test_nothing_is_signed_while_a_run_writes(out: Path, keys: Path) -> None:
    with alone(out), pytest.raises(UsageError, match="another run writes"):
        sign(out, Ed25519Signer.load(keys / "mine.pem"), **WHO)
    assert not look(out).findings


def test_crate_has_the_signatures(out: Path, keys: Path, tmp_path: Path) -> None:
    path = sign(out, Ed25519Signer.load(keys / "mine.pem"), **WHO)
    export(out, "ro-crate", tmp_path / "crate")
    assert (tmp_path / "crate" / "signatures" / path.name).read_bytes() == path.read_bytes()


@pytest.mark.req("LIMS-SIGN-4")
def test_sign_and_verify_on_the_command_line(
    out: Path, authority: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    key = authority / "mine.pem"
    signing = ["sign", str(out), "--name", "Q. A. Person", "--meaning", "review", "--key"]
    assert app([*signing, str(key), "--stamp", command(authority)], standalone_mode=False) == 0
    path = Path(capfd.readouterr().out.strip())
    assert path.parent == out / "signatures"
    checking = ["verify", str(out), "--source", str(out.parent / "lot"), "--no-rerun"]
    trusted = ["--trust", str(authority / "mine.pub"), "--trust", str(authority / "root.pem")]
    assert app([*checking, *trusted], standalone_mode=False) == 0
    assert "of a trusted key; stamped 20" in capfd.readouterr().err
    for wrong in ("theirs.pub", "other.pem"):
        assert app([*checking, "--trust", str(authority / wrong)], standalone_mode=False) == EXIT_VERIFY
        assert f"signatures/{path.name}" in capfd.readouterr().err
    for wrong in ("mine.pub", "root.key", "nowhere.pem"):
        assert app([*signing, str(authority / wrong)], standalone_mode=False) in (2, 3)
    assert app([*checking, "--trust", str(key)], standalone_mode=False) == 2
    assert app([*signing, str(key), "--name", " "], standalone_mode=False) == 2


def test_folder_whose_store_is_a_server_is_signed(out: Path, keys: Path, postgres_url: str) -> None:
    lot, elsewhere = out.parent / "lot", out.parent / "elsewhere"
    run(lot, elsewhere, store=postgres_url)
    sign(elsewhere, Ed25519Signer.load(keys / "mine.pem"), store=postgres_url, **WHO)
    report = verify(elsewhere, source=lot, store=postgres_url, again=False)
    assert not report.findings
    assert any("Q. A. Person" in line for line in report.checked)
