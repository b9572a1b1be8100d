# SPDX-License-Identifier: MIT
"""boto3 at @connections, as management.mjs: ENDPOINT KEY SECRET; a line of JSON
in, one out."""
import json
import sys

import boto3
import botocore.config
import botocore.exceptions

endpoint, key, secret = sys.argv[1:]
client = boto3.client(
    "apigatewaymanagementapi", endpoint_url=endpoint, region_name="eu-central-1",
    aws_access_key_id=key, aws_secret_access_key=secret,
    config=botocore.config.Config(retries={"max_attempts": 0}))

CALLS = {
    "post": lambda id, data=None, size=0: client.post_to_connection(
        ConnectionId=id, Data=b"x" * size if size else data.encode()),
    "get": lambda id, **_: client.get_connection(ConnectionId=id),
    "delete": lambda id, **_: client.delete_connection(ConnectionId=id),
}


def typed(error):
    """The class that an error is an instance of, as a program would ask for it."""
    return next((name for name in dir(client.exceptions) if name.endswith("Exception")
                 and isinstance(error, getattr(client.exceptions, name))), None)


for line in sys.stdin:
    order = json.loads(line)
    try:
        result = CALLS[order.pop("do")](**order)
        meta = result.pop("ResponseMetadata")
        answer = {"status": meta["HTTPStatusCode"], "request": meta["RequestId"], **result}
    except botocore.exceptions.ClientError as error:
        answer = {"status": error.response["ResponseMetadata"]["HTTPStatusCode"],
                  "name": error.response["Error"]["Code"], "type": typed(error),
                  "message": error.response["Error"].get("Message")}
    print(json.dumps(answer, default=lambda time: time.isoformat()), flush=True)
