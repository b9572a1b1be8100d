#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""deploy/kubernetes against Kubernetes' schemas and against the rest of the project:
settings are there, ports and labels meet, processes have the time that they take to
end, nobody reaches what is not for them.

    HOIST_BUILD=build/release tests/kubernetes/.venv/bin/python tests/kubernetes/test_manifests.py
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import kubernetes_validate
import yaml

import keys
import kustomize

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("HOIST_BUILD", ROOT / "build/release")).resolve()
KUBERNETES = ("1.27", "1.37")  # the oldest that docs/deploying.md names, and a new one
LAYERS = ("base", "overlays/redis", keys.OVERLAY)
EVERYBODY, SCRAPER, NAMES = "everybody", "monitoring", "kube-system"
DRAIN = {"broker": "HOIST_DRAIN_TIME", "gateway": "HOIST_DRAIN_TIME", "worker": "HOIST_DRAIN"}


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def settings():
    """Variable to who reads it, and to its default."""
    rows = [[cell.strip("` ") for cell in line.split("|")] for line in
            read("docs/settings.md").splitlines() if line.startswith("| `--")]
    return {row[2]: row[3] for row in rows}, {row[2]: row[5] for row in rows}


READERS, DEFAULTS = settings()


def worker_variables():
    told = subprocess.run([BUILD / "workers/examples/chat", "--help"], check=True, timeout=30,
                          stdout=subprocess.PIPE, text=True).stdout
    return set(re.findall(r"environment (\w+)", told))


# --- what is asked of objects -------------------------------------------------

class System:
    """The objects of one layer."""

    def __init__(self, layer, folder):
        self.layer = layer
        self.objects = kustomize.build(folder / layer)

    def of(self, kind):
        return [one for one in self.objects if one["kind"] == kind]

    def __getitem__(self, name):
        kind, name = name.split("/")
        return kustomize.find(self.objects, kind, name)

    def deployments(self):
        """(name, component, its pod, its container) of each."""
        for one in self.of("Deployment"):
            pod = one["spec"]["template"]
            [container] = pod["spec"]["containers"]
            component = pod["metadata"]["labels"]["app.kubernetes.io/component"]
            yield one["metadata"]["name"], component, pod, container

    def selected(self, selector):
        """Names of the deployments whose pods it means."""
        return {name for name, _, pod, _ in self.deployments()
                if means(selector, pod["metadata"]["labels"])}

    def ours(self):
        return [(name, component, pod, container) for name, component, pod, container
                in self.deployments() if component in DRAIN]


def means(selector, labels):
    selector = selector if {"matchLabels", "matchExpressions"} & selector.keys() or \
        not selector else {"matchLabels": selector}
    for rule in selector.get("matchExpressions", []):
        assert rule["operator"] == "In", rule
        if labels.get(rule["key"]) not in rule["values"]:
            return False
    return selector.get("matchLabels", {}).items() <= labels.items()


def environment(container):
    return {one["name"]: one.get("value") for one in container.get("env", [])}


def port_of(address):
    return int(address.rsplit(":", 1)[1])


# --- the checks ---------------------------------------------------------------

def kubernetes_takes_them(system):
    for one in system.objects:
        for version in KUBERNETES:
            try:
                kubernetes_validate.validate(one, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                where = ".".join(map(str, error.path))
                yield f"{one['kind']} {one['metadata']['name']}: {where}: {error.message}"


def each_is_in_the_namespace_and_there_once(system):
    seen = set()
    for one in system.objects:
        name = one["kind"], one["metadata"]["name"]
        if name in seen:
            yield f"{name} is there twice"
        seen.add(name)
        if one["kind"] != "Namespace" and one["metadata"].get("namespace") != "hoist":
            yield f"{name} is in no namespace of ours"


def variables_are_settings_of_their_process(system):
    for name, component, _, container in system.ours():
        for variable in environment(container):
            known = (variable in worker_variables() if component == "worker" else
                     READERS.get(variable) in (component, "both"))
            if not known:
                yield f"{name}: {variable} is no setting of a {component}"
        if component != "worker" and container["args"] != [component]:
            yield f"{name}: runs {container['args']}"


def images_are_of_this_version(system):
    [version] = re.findall(r"project\(hoist VERSION (\S+)", read("CMakeLists.txt"))
    for name, _, _, container in system.ours():
        if container["image"] != f"hoist:{version}":
            yield f"{name}: {container['image']} is not of version {version}"


def paths_are_in_the_image(system):
    for name, _, _, container in system.ours():
        for path in [*container.get("command", []), environment(container).get("HOIST_STATIC")]:
            if path and f"/out{path.removeprefix('/usr/local').rpartition('/')[0]}" \
                    not in read("Dockerfile"):
                yield f"{name}: {path} is not in the image"


def processes_may_end_in_order(system):
    for name, component, pod, container in system.ours():
        stop = container.get("lifecycle", {}).get("preStop", {})
        before = int(stop["exec"]["command"][1]) if stop else 0
        drain = int(environment(container)[DRAIN[component]]) / 1000
        if pod["spec"]["terminationGracePeriodSeconds"] < before + drain + 5:
            yield f"{name}: is killed before it has drained"
        if (component == "gateway") != bool(before):
            yield f"{name}: clients come to a gateway only, so that alone waits for its Service"
        if component == "broker" and drain * 1000 < int(DEFAULTS["HOIST_REQUEST_TIMEOUT"]):
            yield f"{name}: ends before requests that workers have"


def ports_are_those_of_the_settings(system):
    for name, component, pod, container in system.ours():
        own = {one["name"]: one["containerPort"] for one in container.get("ports", [])}
        variables = environment(container)
        wanted = {port: port_of(variables[variable]) for port, variable in
                  (("http", "HOIST_LISTEN"), ("workers", "HOIST_WORKERS"),
                   ("gateways", "HOIST_GATEWAYS"), ("admin", "HOIST_ADMIN"))
                  if variable in variables}
        if own != wanted:
            yield f"{name}: has ports {own}, and listens at {wanted}"
        probes = [container[kind]["httpGet"] for kind in ("livenessProbe", "readinessProbe")
                  if kind in container]
        if component != "worker" and [(one["path"], one["port"]) for one in probes] != \
                [("/healthz", "admin"), ("/readyz", "admin")]:
            yield f"{name}: is asked {probes}"
        scraped = pod["metadata"].get("annotations", {}).get("prometheus.io/port")
        if str(own.get("admin")) != str(scraped):
            yield f"{name}: Prometheus asks port {scraped}"


def services_lead_to_ports(system):
    for service in system.of("Service"):
        for name in system.selected(service["spec"]["selector"]):
            [container] = system["Deployment/" + name]["spec"]["template"]["spec"]["containers"]
            names = {one["name"] for one in container["ports"]}
            for port in service["spec"]["ports"]:
                if port["targetPort"] not in names:
                    yield f"{service['metadata']['name']}: {name} has no port {port['targetPort']}"


def brokers_are_found_by_their_name(system):
    for name, component, _, container in system.ours():
        endpoint = environment(container).get("HOIST_BROKER")
        if component == "broker":
            continue
        host, port = re.fullmatch(r"tcp://([\w-]+):(\d+)", endpoint).groups()
        spec = system["Service/" + host]["spec"]
        ports = {one["port"]: one["targetPort"] for one in spec["ports"]}
        if spec.get("clusterIP") != "None":
            yield f"{host}: has an address, which stands for one broker only"
        if ports.get(int(port)) != component + "s" or system.selected(spec["selector"]) != \
                {"hoist-broker"}:
            yield f"{name}: {endpoint} leads to no broker's port for {component}s"


def stores_are_found(system):
    [store] = [environment(container).get("HOIST_STORE")
               for _, component, _, container in system.ours() if component == "broker"]
    if store is None and system.layer == "base":
        return
    host, port = re.fullmatch(r"redis://([\w-]+):(\d+)", store).groups()
    if [one["port"] for one in system["Service/" + host]["spec"]["ports"]] != [int(port)]:
        yield f"there is no {store}"


def selectors_mean_their_own(system):
    """Each deployment, its budget and its spreading its own pods, and no others."""
    for name, _, pod, _ in system.deployments():
        selectors = [system["Deployment/" + name]["spec"]["selector"]]
        selectors += [one["labelSelector"] for one in
                      pod["spec"].get("topologySpreadConstraints", [])]
        selectors += [one["spec"]["selector"] for one in system.of("PodDisruptionBudget")
                      if one["metadata"]["name"] == name]
        if name != "hoist-redis" and len(selectors) < 3:
            yield f"{name}: has no budget, or is not spread"
        for selector in selectors:
            if system.selected(selector) != {name}:
                yield f"{name}: {selector} means {system.selected(selector)}"
    for service in system.of("Service"):
        if system.selected(service["spec"]["selector"]) != {service["metadata"]["name"]}:
            yield f"Service {service['metadata']['name']} leads elsewhere"


def pods_are_locked(system):
    for name, component, pod, container in system.deployments():
        spec, own = pod["spec"], container["securityContext"]
        whole = spec["securityContext"]
        if not (whole["runAsNonRoot"] and whole["runAsUser"] > 0 and whole["runAsGroup"] > 0 and
                whole["seccompProfile"] == {"type": "RuntimeDefault"} and
                own == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"]}} and
                spec["automountServiceAccountToken"] is False and
                # Else HOIST_BROKER_PORT and the like were in the environment.
                spec["enableServiceLinks"] is False):
            yield f"{name}: is not locked"
        if component in DRAIN and f"USER {whole['runAsUser']}:{whole['runAsGroup']}\n" \
                not in read("Dockerfile"):
            yield f"{name}: {whole['runAsUser']} is not the image's user"
        if "memory" not in container["resources"].get("limits", {}):
            yield f"{name}: may take all memory"


def peer_names(system, peers):
    """Whom the `from` or `to` of a policy means."""
    for peer in peers or [{}]:
        if not peer:
            yield EVERYBODY
        elif "namespaceSelector" in peer:
            yield peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
        else:
            yield from system.selected(peer["podSelector"])


def reached(system, way, key):
    """(deployment, port) to who may come to it (Ingress, from), or (deployment) to where
    it may go (Egress, to)."""
    may = {}
    for policy in system.of("NetworkPolicy"):
        spec = policy["spec"]
        if way not in spec["policyTypes"]:
            continue
        for name in system.selected(spec["podSelector"]):
            may.setdefault(name, set())
            for rule in spec.get(way.lower(), []):
                may[name] |= {(port["port"], peer) for port in rule["ports"]
                              for peer in peer_names(system, rule.get(key))}
    return may


def nobody_reaches_what_is_not_for_them(system):
    wanted = {"hoist-gateway": {(8080, EVERYBODY), (9100, SCRAPER)},
              "hoist-broker": {(5556, "hoist-gateway"), (5555, "hoist-chat"), (9100, SCRAPER)},
              "hoist-chat": set(), "hoist-redis": {(6379, "hoist-broker")}}
    may_come = reached(system, "Ingress", "from")
    for name, *_ in system.deployments():
        if may_come.get(name) != wanted[name]:
            yield f"{name}: is reached by {may_come.get(name)}"
    may_go = reached(system, "Egress", "to")
    if may_go["hoist-gateway"] != {(5556, "hoist-broker"), (53, NAMES)}:
        yield f"a gateway reaches {may_go['hoist-gateway']}"


def what_is_mounted_is_there(system):
    for name, component, pod, container in system.ours():
        volumes = {one["name"]: one["secret"] for one in pod["spec"].get("volumes", [])}
        mounts = {one["mountPath"]: volumes[one["name"]]
                  for one in container.get("volumeMounts", [])}
        if any(volume["defaultMode"] & 0o007 for volume in mounts.values()):
            yield f"{name}: everybody may read its keys"
        for variable, value in environment(container).items():
            if not variable.startswith("HOIST_CURVE"):
                continue
            folder, _, file = value.rpartition("/")
            if file not in system["Secret/" + mounts[folder]["secretName"]]["data"]:
                yield f"{name}: {variable}: there is no {value}"


def secrets_are_of_who_needs_them(system):
    """No process has another's secret."""
    for one in system.of("Secret"):
        secret = [file for file in one["data"] if file.endswith("_secret")]
        if "lists" not in one["metadata"]["name"] and len(secret) != 1:
            yield f"{one['metadata']['name']} has {secret}"


def autoscalers_are_told(system):
    adapter = yaml.safe_load((keys.HERE / "components/autoscale/prometheus-adapter.yml")
                             .read_text("utf-8"))["rules"]
    told = {one["name"]["as"] for one in adapter["custom"] + adapter["external"]}
    for scaler in system.of("HorizontalPodAutoscaler"):
        target = scaler["spec"]["scaleTargetRef"]["name"]
        if "replicas" in system["Deployment/" + target]["spec"]:
            yield f"{target}: says itself how many there are"
        asked = {one[kind]["metric"]["name"] for one in scaler["spec"]["metrics"]
                 for kind in ("pods", "external") if kind in one}
        if not asked or not asked <= told:
            yield f"{target}: {asked - told} is told by nobody"


def the_adapter_asks_for_metrics_that_are_there():
    kinds = dict(re.findall(r"^\| `(hoist_\w+)` \| (\w+) ", read("docs/metrics.md"), re.M))
    adapter = yaml.safe_load((keys.HERE / "components/autoscale/prometheus-adapter.yml")
                             .read_text("utf-8"))["rules"]
    for rule in adapter["custom"] + adapter["external"]:
        name = re.match(r"\w+", rule["seriesQuery"])[0]
        is_there = (kinds.get(name.removesuffix("_bucket")) == "histogram"
                    if name.endswith("_bucket") else kinds.get(name) == "gauge")
        if not is_there:
            yield f"prometheus-adapter.yml: there is no metric {name}"


CHECKS = (kubernetes_takes_them, each_is_in_the_namespace_and_there_once,
          variables_are_settings_of_their_process, images_are_of_this_version,
          paths_are_in_the_image, processes_may_end_in_order, ports_are_those_of_the_settings,
          services_lead_to_ports, brokers_are_found_by_their_name, stores_are_found,
          selectors_mean_their_own, pods_are_locked, nobody_reaches_what_is_not_for_them,
          what_is_mounted_is_there, secrets_are_of_who_needs_them, autoscalers_are_told)


# --- kustomize itself ---------------------------------------------------------

def in_order(value):
    """Without the order of lists of objects, which merging may change, and without the
    lines of base64."""
    if isinstance(value, dict):
        return {key: in_order(value[key]) for key in sorted(value)}
    if isinstance(value, list) and all(isinstance(one, dict) for one in value):
        return sorted(map(in_order, value), key=repr)
    return value.replace("\n", "") if isinstance(value, str) else value


def kubectl_builds_the_same(system, folder):
    told = subprocess.run(["kubectl", "kustomize", folder / system.layer], check=True,
                          stdout=subprocess.PIPE, text=True).stdout
    for one in system.of("Secret"):
        name = one["metadata"]["name"]
        told = re.sub(rf"\b{name}-[a-z0-9]{{10}}\b", name, told)
    if in_order(kustomize.documents(told)) != in_order(system.objects):
        yield "kubectl kustomize builds something else than this test"


def can_build():
    """A kubectl whose kustomize knows components.  (Debian 12's is of version 2.)"""
    if shutil.which("kubectl") is None:
        return False
    told = subprocess.run(["kubectl", "version", "--client"], check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    version = re.search(r"Kustomize Version: v(\d+)", told)
    return version is not None and int(version[1]) >= 5


def main():
    wrong, count = [], 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = keys.copy_with_keys(pathlib.Path(scratch) / "kubernetes", BUILD / "cli/hoist")
        for layer in LAYERS:
            system = System(layer, folder)
            count += len(system.objects)
            checks = [check(system) for check in CHECKS]
            if can_build():
                checks.append(kubectl_builds_the_same(system, folder))
            wrong += [f"{layer}: {line}" for check in checks for line in check]
    wrong += the_adapter_asks_for_metrics_that_are_there()
    print("\n".join(wrong) or f"{count} objects in {len(LAYERS)} layers: all as it should be"
          + ("" if can_build() else "; not held against kubectl's kustomize, which is not here"))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
