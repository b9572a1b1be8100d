// SPDX-License-Identifier: MIT
// dynalite on a port of its choice, which is the one line that it prints.
import dynalite from "dynalite";

const server = dynalite({ createTableMs: 0, deleteTableMs: 0, updateTableMs: 0 });
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
