// Package v2beta2 is an API version that Kubernetes 1.26 stopped to serve and k8s.io/api 0.37 no longer has. The
// provider's library for server-side apply still names its type.
package v2beta2

import (
	v2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/runtime"
)

// MetricSpec is the metric of a HorizontalPodAutoscaler.
type MetricSpec = v2.MetricSpec

// HorizontalPodAutoscaler has the fields of its successor.
type HorizontalPodAutoscaler struct{ v2.HorizontalPodAutoscaler }

// DeepCopyObject makes it an object of the API.
func (a *HorizontalPodAutoscaler) DeepCopyObject() runtime.Object {
	return &HorizontalPodAutoscaler{*a.HorizontalPodAutoscaler.DeepCopy()}
}
