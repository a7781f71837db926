"""Signature versions 3 and 1 as the gateway verifies them. Source: sheet, sections 1 and 2."""

import base64
import hashlib
import hmac
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from channels.gateways.aliyun_api.calls import Call, canonical
from channels.gateways.aliyun_api.refusals import GatewayRefusal

TOLERANCE = timedelta(minutes=15)
V3_HEADERS = (
    "host",
    "x-acs-action",
    "x-acs-version",
    "x-acs-date",
    "x-acs-signature-nonce",
    "x-acs-content-sha256",
)
V1_PARAMS = (
    "AccessKeyId",
    "Signature",
    "SignatureMethod",
    "SignatureNonce",
    "SignatureVersion",
    "Timestamp",
    "Action",
    "Version",
)
_AUTHORIZATION = re.compile(
    r"ACS3-HMAC-SHA256 Credential=([^,\s]+), ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})"
)


class Verifier:
    """Knows the accounts and the nonces seen within the tolerance."""

    def __init__(self, accounts: Mapping[str, str], now: Callable[[], datetime]) -> None:
        self._accounts = accounts
        self._now = now
        self._nonces: OrderedDict[str, datetime] = OrderedDict()

    def check(self, call: Call) -> None:
        """Raises GatewayRefusal unless the call is signed by one of the accounts, now and once."""
        if "authorization" in call.headers:
            self._check_v3(call)
        elif "Signature" in call.params:
            self._check_v1(call)
        else:
            raise _incomplete("The request is not signed.")

    def _check_v3(self, call: Call) -> None:
        match = _AUTHORIZATION.fullmatch(call.headers["authorization"])
        if match is None:
            raise _incomplete("The Authorization header does not conform to the standard.")
        key_id, names, signature = match[1], sorted(match[2].split(";")), match[3]
        required = {*V3_HEADERS, *(name for name in call.headers if name.startswith("x-acs-"))}
        if not required <= set(names) or not all(name in call.headers for name in names):
            raise _incomplete("A mandatory header is missing or not signed.")
        self._check_time(call.headers["x-acs-date"])
        digest = hashlib.sha256(call.body).hexdigest()
        if call.headers["x-acs-content-sha256"] != digest:
            raise _mismatch("The hash of the body differs from x-acs-content-sha256.")
        expected = _sign_v3(call, names, digest, self._secret(key_id))
        if not hmac.compare_digest(signature, expected):
            raise _mismatch("Specified signature is not matched with our calculation.")
        self._check_nonce(call.headers["x-acs-signature-nonce"])

    def _check_v1(self, call: Call) -> None:
        params = call.params
        if not all(name in params for name in V1_PARAMS):
            raise _incomplete("A mandatory public parameter is missing.")
        if params["SignatureMethod"] != "HMAC-SHA1" or params["SignatureVersion"] != "1.0":
            raise _incomplete("SignatureMethod or SignatureVersion is not supported.")
        self._check_time(params["Timestamp"])
        expected = _sign_v1(call.method, params, self._secret(params["AccessKeyId"]))
        if not hmac.compare_digest(params["Signature"].encode(), expected):
            raise _mismatch("Specified signature is not matched with our calculation.")
        self._check_nonce(params["SignatureNonce"])

    def _secret(self, key_id: str) -> str:
        if key_id not in self._accounts:
            raise GatewayRefusal(404, "InvalidAccessKeyId.NotFound", "Specified access key is not found.")
        return self._accounts[key_id]

    def _check_time(self, text: str) -> None:
        try:
            at = datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        except ValueError:
            raise GatewayRefusal(400, "InvalidTimeStamp.Format", "Not a UTC time stamp.") from None
        if abs(at - self._now()) > TOLERANCE:
            raise GatewayRefusal(400, "InvalidTimeStamp.Expired", "Specified time stamp is expired.")

    def _check_nonce(self, nonce: str) -> None:
        now = self._now()
        while self._nonces and next(iter(self._nonces.values())) < now - 2 * TOLERANCE:
            self._nonces.popitem(last=False)
        if nonce in self._nonces:
            raise GatewayRefusal(400, "SignatureNonceUsed", "Specified signature nonce was used already.")
        self._nonces[nonce] = now


def _sign_v3(call: Call, names: list[str], digest: str, secret: str) -> str:
    lines = "".join(f"{name}:{call.headers[name].strip()}\n" for name in names)
    request = "\n".join((call.method, call.path, canonical(call.query), lines, ";".join(names), digest))
    to_sign = f"ACS3-HMAC-SHA256\n{hashlib.sha256(request.encode()).hexdigest()}"
    return hmac.new(secret.encode(), to_sign.encode(), hashlib.sha256).hexdigest()


def _sign_v1(method: str, params: Mapping[str, str], secret: str) -> bytes:
    rest = canonical({name: value for name, value in params.items() if name != "Signature"})
    to_sign = f"{method}&%2F&{quote(rest, safe='-_.~')}"
    return base64.b64encode(hmac.new(f"{secret}&".encode(), to_sign.encode(), hashlib.sha1).digest())


def _incomplete(message: str) -> GatewayRefusal:
    return GatewayRefusal(400, "IncompleteSignature", message)


def _mismatch(message: str) -> GatewayRefusal:
    return GatewayRefusal(400, "SignatureDoesNotMatch", message)
