// SPDX-License-Identifier: MIT
// The stock AWS SDK at @connections: node management.mjs ENDPOINT KEY SECRET.
// Reads orders as lines of JSON, {"do": "post", "id": …, "data": …}, and answers
// each with a line: what the SDK returned, or the error that it threw.
import {createInterface} from "node:readline";
import * as sdk from "@aws-sdk/client-apigatewaymanagementapi";

const [endpoint, accessKeyId, secretAccessKey] = process.argv.slice(2);
const client = new sdk.ApiGatewayManagementApiClient({
  endpoint, region: "eu-central-1", maxAttempts: 1,
  credentials: {accessKeyId, secretAccessKey}});

const calls = {
  post: ({id, data, size}) => new sdk.PostToConnectionCommand(
    {ConnectionId: id, Data: size ? Buffer.alloc(size, "x") : data}),
  get: ({id}) => new sdk.GetConnectionCommand({ConnectionId: id}),
  delete: ({id}) => new sdk.DeleteConnectionCommand({ConnectionId: id}),
};

// The class that an error is an instance of, as a program would ask for it.
function typed(error) {
  return Object.keys(sdk).find((name) => name.endsWith("Exception") &&
    name !== "ApiGatewayManagementApiServiceException" && error instanceof sdk[name]);
}

for await (const line of createInterface({input: process.stdin})) {
  const order = JSON.parse(line);
  let answer;
  try {
    const {$metadata, ...result} = await client.send(calls[order.do](order));
    answer = {status: $metadata.httpStatusCode, request: $metadata.requestId, ...result};
  } catch (error) {
    answer = {status: error.$metadata?.httpStatusCode, name: error.name, type: typed(error),
              message: error.message};
  }
  console.log(JSON.stringify(answer));
}
