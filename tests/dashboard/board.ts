// SPDX-License-Identifier: MIT
// What a dashboard of ours may have in it: Grafana's own types, of the release that
// docker-compose.yml runs, put together for the panels that there are.
import type { DataQuery } from "@grafana/schema/dist/esm/common/common.gen.js";
import type { Options as StatOptions } from
    "@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen.js";
import type { FieldConfig as LineConfig, Options as LineOptions } from
    "@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen.js";
import type { Dashboard, Panel } from
    "@grafana/schema/dist/esm/raw/dashboard/x/dashboard_types.gen.js";

// As it stands in JSON, where an enumeration is its text.
type Plain<T> = unknown extends T ? T
    : T extends string ? `${T}`
    : T extends number | boolean | null | undefined ? T
    : T extends (infer Element)[] ? Plain<Element>[]
    : { [Key in keyof T]: Plain<T[Key]> };

// Of @grafana/data, whose list of units is no type.
type Unit = "short" | "cps" | "reqps" | "ops" | "s" | "bytes" | "Bps" | "percentunit";

type Config = NonNullable<Panel["fieldConfig"]>;

// What Panel leaves open, since it differs from one kind to the other.  Options that
// are not there have their defaults.
type PanelOf<Type, Options, Custom> =
    Omit<Panel, "type" | "options" | "targets" | "fieldConfig"> & {
        type: Type;
        title: string;
        options: Partial<Options>;
        targets: (Omit<DataQuery, "datasource"> & { expr: string; legendFormat?: string })[];
        fieldConfig: Omit<Config, "defaults"> & {
            defaults: Omit<Config["defaults"], "custom" | "unit"> & { unit: Unit; custom?: Custom };
        };
    };

export type Board = Plain<Omit<Dashboard, "panels"> & {
    panels: (PanelOf<"stat", StatOptions, never> |
             PanelOf<"timeseries", LineOptions, Partial<LineConfig>>)[];
}>;
