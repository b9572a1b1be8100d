# SPDX-License-Identifier: MIT
"""AWS Signature Version 4 by its definition, so that a test can sign what no SDK
would."""
import hashlib
import hmac
import time
import urllib.parse
from urllib.parse import unquote

KEY, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"


def digest(data):
    return hashlib.sha256(data).hexdigest()


def mac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def quoted(text):
    return urllib.parse.quote(text, safe="-_.~")


def canonical_query(query):
    pairs = [pair.partition("=")[::2] for pair in query.split("&") if pair]
    return "&".join(sorted(f"{quoted(unquote(k))}={quoted(unquote(v))}" for k, v in pairs))


def signed(method, target, body, host, *, key=KEY, secret=SECRET, at=None,
           region="eu-central-1", service="execute-api", names=("host", "x-amz-date")):
    """The headers of a request."""
    path, _, query = target.partition("?")
    date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() if at is None else at))
    headers = {"host": host, "x-amz-date": date}
    request = "\n".join([method, "/".join(quoted(s) for s in path.split("/")),
                         canonical_query(query),
                         *(f"{name}:{headers[name]}" for name in names), "",
                         ";".join(names), digest(body)])
    scope = f"{date[:8]}/{region}/{service}/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", date, scope, digest(request.encode())])
    chain = ("AWS4" + secret).encode()
    for word in scope.split("/"):
        chain = mac(chain, word)
    signature = hmac.new(chain, text.encode(), hashlib.sha256).hexdigest()
    return {"Host": host, "X-Amz-Date": date, "Authorization":
            f"AWS4-HMAC-SHA256 Credential={key}/{scope}, "
            f"SignedHeaders={';'.join(names)}, Signature={signature}"}
