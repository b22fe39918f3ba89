//go:build tools

// Package lab pins the Gateway API module, whose CRDs and policy the lab installs.
package lab

import _ "sigs.k8s.io/gateway-api/apis/v1"
