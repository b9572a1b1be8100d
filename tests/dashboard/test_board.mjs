// SPDX-License-Identifier: MIT
// deploy/grafana/hoist.json is what Grafana's own types say that a dashboard is
// (board.ts): no field that it does not know, no value that it does not take.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const path = (name) => fileURLToPath(new URL(name, import.meta.url));
const read = (name) => readFileSync(path(name), "utf8");
const BOARD = JSON.parse(read("../../deploy/grafana/hoist.json"));
const SOURCE = path("made_of_json.ts"); // which is on no disk
const OPTIONS = {
    noEmit: true, strict: true, exactOptionalPropertyTypes: true, skipLibCheck: true,
    module: ts.ModuleKind.NodeNext, target: ts.ScriptTarget.ES2022, types: [],
};

let former; // what was compiled before need not be read again

function complaints(board) {
    const text = 'import type { Board } from "./board.js";\n' +
        `export const board: Board = ${JSON.stringify(board, null, 1)};\n`;
    const host = ts.createCompilerHost(OPTIONS);
    const { getSourceFile, fileExists } = host;
    host.fileExists = (name) => name === SOURCE || fileExists(name);
    host.getSourceFile = (name, ...how) => name === SOURCE
        ? ts.createSourceFile(name, text, OPTIONS.target)
        : former?.getSourceFile(name) ?? getSourceFile(name, ...how);
    former = ts.createProgram([SOURCE], OPTIONS, host, former);
    return ts.getPreEmitDiagnostics(former).map((found) => {
        const { line } = found.file?.getLineAndCharacterOfPosition(found.start) ?? { line: 0 };
        const place = found.file?.fileName === SOURCE ? `hoist.json:${line}` : found.file?.fileName;
        return `${place}: ${ts.flattenDiagnosticMessageText(found.messageText, "\n")}`;
    });
}

function withFault(change) {
    const board = structuredClone(BOARD);
    change(board, board.panels.find(({ type }) => type === "timeseries"));
    return complaints(board);
}

function theDashboardIsOne() {
    assert.equal(complaints(BOARD).join("\n"), "");
}

function whatGrafanaDoesNotKnowIsSeen() {
    const faults = {
        "a field of the dashboard": (board) => { board.colour = "dark"; },
        "a time that is none": (board) => { board.time = { from: 15 }; },
        "a panel of an unknown type": (_, panel) => { panel.type = "graph"; },
        "an option of another panel": (_, panel) => { panel.options.colorMode = "none"; },
        "a value that an option has not": (_, panel) => { panel.options.tooltip.mode = "some"; },
        "a query without its name": (_, panel) => { delete panel.targets[0].refId; },
        "a unit that is none": (_, panel) => { panel.fieldConfig.defaults.unit = "messages"; },
    };
    for (const [name, change] of Object.entries(faults)) {
        assert.notDeepEqual(withFault(change), [], name);
    }
}

function theTypesAreThoseOfTheGrafanaThatRuns() {
    const [, image] = read("../../docker-compose.yml").match(/image: grafana\/grafana:(\S+)/);
    const lock = JSON.parse(read("package-lock.json"));
    assert.equal(lock.packages["node_modules/@grafana/schema"].version, image);
}

for (const test of [theDashboardIsOne, whatGrafanaDoesNotKnowIsSeen,
                    theTypesAreThoseOfTheGrafanaThatRuns]) {
    console.log(test.name);
    test();
}
