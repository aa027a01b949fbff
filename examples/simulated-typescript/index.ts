// Two pools of the simulated fleet: dense slices for inference, one layout per GPU for training.

import * as pulumi from "@pulumi/pulumi";
import { Fleet } from "@mig-fleet/mig-fleet";

const config = new pulumi.Config();
const fleet = new Fleet("gpus", {
    cluster: { kubeconfig: config.get("kubeconfig") ?? ".mig-fleet/fleet/kubeconfig" },
    // A stand-in for NVIDIA's chart with the same values interface. On a real cluster: { version: "v26.7.0" }
    operator: {
        chart: config.get("chart") ?? "../../mig_fleet/simulator/charts/gpu-operator",
        timeout: "2m",
    },
    probe: { interval: "2s" },
    layouts: {
        dense: { gpu: "H100-80GB", all: { "1g.10gb": 7 } },
        split: {
            gpu: "A100-80GB",
            gpus: [
                { devices: [0, 1], profiles: { "3g.40gb": 2 } },
                { devices: [2, 3], disabled: true },
            ],
        },
    },
    pools: {
        inference: {
            gpu: "H100-80GB",
            gpusPerNode: 8,
            nodes: ["gpu-node-1", "gpu-node-2"],
            layout: "dense",
            rollout: { canary: 1, maxUnavailable: 1 },
        },
        training: { gpu: "A100-80GB", gpusPerNode: 4, nodes: ["gpu-node-4"], layout: "split" },
    },
    prices: { "H100-80GB": 2.5, "A100-80GB": 1.6 },
});

export const slices = fleet.slices;
export const capacity = fleet.capacity;
