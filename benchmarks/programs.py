"""The programs whose previews are compared: each does what the one before does, and more.

``EMPTY`` imports Pulumi. ``IDLE`` has as many dynamic resources as a layout file and a pool of five waves; they do
nothing, and each depends on the one before. ``FLOOR`` also lists all nodes and all reports with the Kubernetes client,
which it loads as cheaply as possible; it sends both requests in parallel and does not parse the answers. ``POOLED`` has
the layout file and pools.
"""

EMPTY = "import pulumi\n"
IDLE = """
import pulumi
from pulumi.dynamic import CreateResult, Resource, ResourceProvider

class Idle(ResourceProvider):
    def create(self, props):
        return CreateResult("idle", props)

class Nothing(Resource, module="idle", name="Nothing"):
    pass

before = []
for number in range(11):
    before = [Nothing(Idle(), f"idle-{number}", {}, pulumi.ResourceOptions(depends_on=before))]
"""
FLOOR = """
import pulumi
from pulumi.dynamic import CheckResult, CreateResult, Resource, ResourceProvider

class Observer(ResourceProvider):
    def check(self, olds, news):
        if news["first"]:
            import gc
            from concurrent.futures import ThreadPoolExecutor
            gc.disable()
            import kubernetes
            gc.freeze()
            gc.enable()
            client = kubernetes.config.new_client_from_config("{kubeconfig}")
            def read(path):
                _, url, headers, body, _ = client.param_serialize("GET", path, auth_settings=["BearerToken"])
                return len(client.call_api("GET", url, header_params=headers).read())
            with ThreadPoolExecutor() as both:
                assert all(both.map(read, ("/api/v1/nodes", "/api/v1/namespaces/{reports}/configmaps")))
        return CheckResult(news, [])

    def create(self, props):
        return CreateResult("idle", props)

class Nothing(Resource, module="idle", name="Nothing"):
    pass

before = []
for number in range(11):
    after = pulumi.ResourceOptions(depends_on=before)
    before = [Nothing(Observer(), f"idle-{{number}}", {{"first": number == 0}}, after)]
"""
POOLED = """
import json
import pulumi
from pathlib import Path
from mig_fleet.components.layouts import MigLayouts
from mig_fleet.components.pool import Pool

dense = {{"name": "dense", "gpu": "H100-80GB", "all": {{"1g.10gb": 7}}}}
cluster = {{"kubeconfig": "{kubeconfig}"}}
layouts = MigLayouts("layouts", {{
    "cluster": cluster,
    "namespace": "{operator}",
    "reports_namespace": "{reports}",
    "layouts": [dense],
}})
for name, nodes in json.loads(Path("pools.json").read_text()).items():
    pool = Pool(name, {{
        "cluster": cluster,
        "namespace": "{operator}",
        "reports_namespace": "{reports}",
        "gpu": "H100-80GB",
        "gpus_per_node": {gpus},
        "nodes": nodes,
        "layout": dense,
        "rollout": {{"max_unavailable": "25%"}},
    }}, pulumi.ResourceOptions(depends_on=[layouts]))
    pulumi.export(name, pool.slices)
"""
