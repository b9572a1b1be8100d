# SPDX-License-Identifier: MIT
"""As much of kustomize as deploy/kubernetes uses, for machines that have none; what
it does not know it refuses.  Where kubectl is, a test holds the two together.

Secrets keep the names that they are given: kustomize puts a hash behind them.
"""
import base64

import yaml

KNOWN = {"apiVersion", "kind", "namespace", "resources", "components", "patches",
         "secretGenerator"}
# What names an element of a list, where a patch is merged into it.
KEYS = {"containers": "name", "env": "name", "volumes": "name", "volumeMounts": "mountPath"}
WITHOUT_NAMESPACE = ("Namespace",)


def documents(text):
    return [one for one in yaml.safe_load_all(text) if one]


def build(folder):
    """The objects of the kustomization in that folder."""
    return apply(folder, [])


def apply(folder, objects):
    """Those, with what it makes of objects that are there already."""
    plan = yaml.safe_load((folder / "kustomization.yml").read_text(encoding="utf-8"))
    assert plan.keys() <= KNOWN, f"{folder}: {plan.keys() - KNOWN} is new to this test"
    for name in plan.get("resources", []):
        path = folder / name
        objects = objects + (build(path) if path.is_dir()
                             else documents(path.read_text(encoding="utf-8")))
    objects += [secret(folder, **one) for one in plan.get("secretGenerator", [])]
    for name in plan.get("components", []):
        objects = apply(folder / name, objects)
    for patch in plan.get("patches", []):
        patch_all(folder, patch, objects)
    return [put_into(one, plan.get("namespace")) for one in objects]


def secret(folder, name, files, options=None):
    assert (options or {}).keys() <= {"disableNameSuffixHash"}, options
    data = {file.split("/")[-1]: base64.b64encode((folder / file).read_bytes()).decode("ascii")
            for file in files}
    return {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": {"name": name},
            "data": data}


def put_into(one, namespace):
    if namespace and one["kind"] == "Namespace":
        one["metadata"]["name"] = namespace
    elif namespace:
        one["metadata"]["namespace"] = namespace
    return one


def patch_all(folder, patch, objects):
    assert patch.keys() in ({"path"}, {"target", "patch"}), patch
    if "path" in patch:
        for change in documents((folder / patch["path"]).read_text(encoding="utf-8")):
            merge(find(objects, change["kind"], change["metadata"]["name"]), change)
    else:
        for step in yaml.safe_load(patch["patch"]):
            remove(find(objects, **patch["target"]), **step)


def find(objects, kind, name):
    [one] = [one for one in objects if (one["kind"], one["metadata"]["name"]) == (kind, name)]
    return one


def remove(one, op, path):
    assert op == "remove", op
    *way, last = path.strip("/").split("/")
    for step in way:
        one = one[step]
    del one[last]


def merge(into, change):
    for key, value in change.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            merge(into[key], value)
        elif key in KEYS and key in into:
            merge_list(into[key], value, KEYS[key])
        else:
            into[key] = value


def merge_list(into, change, key):
    for value in change:
        same = [one for one in into if one[key] == value[key]]
        if same:
            merge(same[0], value)
        else:
            into.append(value)
